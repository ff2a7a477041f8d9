"""Every ```python and ```bash block of the documentation runs, page by page, in an empty folder.

Blocks that need a person, a network or minutes are marked ```sh and are not run.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md")])


def run_bash(example: Example) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example.parsed],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{example.parsed}\n{done.stdout}\n{done.stderr}"


def parse(page: Path) -> Document:
    parsers = [PythonCodeBlockParser(), CodeBlockParser(language="bash", evaluator=run_bash)]
    return Sybil(parsers=parsers).parse(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for example in parse(page).examples():
        example.evaluate()


def test_page_runner_notices_a_block_that_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    for block in ("```python\nassert 1 == 2\n```\n", "```bash\nfalse\n```\n"):
        page.write_text(block, encoding="utf-8")
        with pytest.raises(AssertionError):
            for example in parse(page).examples():
                example.evaluate()


def test_links_between_pages_lead_somewhere() -> None:
    import re

    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
