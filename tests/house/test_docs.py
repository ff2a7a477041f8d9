"""Every ```python and ```bash block of the documentation runs, page by page, in an empty folder.

Blocks that need a person, a network or minutes are marked ```sh and are not run.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md")])


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """What to put before PATH: an `opportune` that has imported everything already."""
    folder = tmp_path_factory.mktemp("bin")
    program, where = str(Path(__file__).with_name("warm_opportune.py")), str(folder / "socket")
    calling = shlex.join([sys.executable, "-SE", program, "call", where])
    shim = folder / "opportune"
    shim.write_text(f'#!/bin/sh\nexec {calling} "$@"\n')
    shim.chmod(0o755)
    listening = [sys.executable, program, "listen", where]
    with subprocess.Popen(listening, stdout=subprocess.PIPE, cwd=ROOT) as listener:
        assert listener.stdout is not None
        assert listener.stdout.readline() == b"ready\n"
        yield f"{folder}:{Path(sys.executable).parent}"
        listener.terminate()


def run_bash(example: Example) -> None:
    before = example.namespace["commands"]
    environment = os.environ | {"PATH": f"{before}:{os.environ['PATH']}"}
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


def evaluate(page: Path, commands: str) -> None:
    document = parse(page)
    document.namespace["commands"] = commands
    for example in document.examples():
        example.evaluate()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs(
    page: Path, commands: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    evaluate(page, commands)


@pytest.mark.parametrize(
    "block",
    [
        "```python\nassert 1 == 2\n```\n",
        "```bash\nfalse\n```\n",
        "```bash\nopportune check --data nowhere\n```\n",
        "```bash\nopportune nothing\n```\n",
    ],
)
def test_page_runner_notices_a_block_that_fails(
    block: str, commands: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text(block, encoding="utf-8")
    with pytest.raises(AssertionError):
        evaluate(page, commands)


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
