"""Whoever stops the autopilot does not wait for the libraries of the rest."""

import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from serving.cli.autopilot import autopilot

STOP = """
import sys
sys.argv = ["opportune", "autopilot", "stop", "--by", "Dana", "--branch", "Abay 10"]
from serving.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print([name for name in ("numpy", "pandas", "scipy", "sqlalchemy") if name in sys.modules])
"""


def test_stop_writes_its_file_before_anything_slow_is_imported(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STOP],
        capture_output=True,
        text=True,
        check=True,
        env={"OPPORTUNE_HOME": str(tmp_path)},
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "STOP.Abay 10").exists()


def test_every_listed_command_can_be_asked_for_help() -> None:
    listed = CliRunner().invoke(autopilot, ["--help"])
    assert listed.exit_code == 0
    for name in ("stop", "resume", "show", "approve", "veto", "confirm-cause", "label", "replay"):
        assert f" {name} " in listed.output
        assert CliRunner().invoke(autopilot, [name, "--help"]).exit_code == 0
    assert "No such command 'stpo'" in CliRunner().invoke(autopilot, ["stpo"]).output
