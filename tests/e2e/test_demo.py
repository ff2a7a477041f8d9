"""The demonstration, small: what `make demo` runs ends well and leaves what it promises."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.e2e
@pytest.mark.slow
def test_demo_runs_the_whole_loop_and_leaves_a_report(tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("opportune"))
    size = ("--customers", "400", "--days", "100", "--loop-days", "1", "--households", "500")
    done = subprocess.run(
        [program, "demo", *size, "--json"],
        cwd=tmp_path,
        env=os.environ | {"OPPORTUNE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    report = Path(result["report"]).read_text(encoding="utf-8")
    assert result["cases"] > 0
    assert "recency only" in report
    assert "propensity" in report
    for left in ("world/store.db", "world/mlflow/mlflow.db", "complete_journey/store.db"):
        assert (tmp_path / "home" / "demo" / left).exists()
