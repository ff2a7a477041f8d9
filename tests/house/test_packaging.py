"""What ships: versions, lock and house rules that no other tool checks."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return {line.split("==")[0].split("[")[0].lower(): line for line in lines if "==" in line}


def test_lock_is_exact_and_names_no_address() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()

    assert all("==" in line for line in lines if line.strip())
    assert not any("://" in line or line.startswith("--") for line in lines)


def test_lock_holds_every_direct_requirement() -> None:
    groups = PROJECT["dependency-groups"]
    direct = [*PROJECT["project"]["dependencies"], *groups["dev"], *groups["demo"]]
    names = {re.split(r"[\[<>=;\s]", requirement)[0].lower() for requirement in direct}

    assert names <= set(locked())


def test_requirements_have_floors_and_bentoml_a_high_one() -> None:
    for requirement in PROJECT["project"]["dependencies"]:
        assert ">=" in requirement, requirement
    assert any(r.startswith("bentoml>=1.4") for r in PROJECT["project"]["dependencies"])


def test_changelog_speaks_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## {PROJECT['project']['version']}" in changelog


def test_modules_stay_short() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    sources = [
        name for name in tracked if name.split("/")[0] in {"features", "training", "serving"}
    ]
    lengths = {
        name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in sources
    }

    assert {name: n for name, n in lengths.items() if n > 400} == {}


def test_no_path_of_a_machine_is_in_the_tree() -> None:
    found = subprocess.run(
        ["git", "grep", "-nE", "(/home/[a-z]|/root/|/Users/)", "--", ":!tests/house"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout

    assert [line for line in found.splitlines() if "/home/me/" not in line] == []


def test_import_contract_of_the_live_path_names_every_module() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    live = next(c for c in contracts if c["name"].startswith("The live path"))
    free = {"cli", "copywriter", "demo", "benchmarks", "evaluate", "following", "rehearsal"}
    serving = {path.stem for path in (ROOT / "serving").iterdir() if not path.name.startswith("_")}
    training = {
        path.stem for path in (ROOT / "training").iterdir() if not path.name.startswith("_")
    }
    data = {"py"}

    assert {f"serving.{name}" for name in serving - free - data} == set(live["source_modules"])
    allowed = {"bandit", "registry"}
    assert {f"training.{name}" for name in training - allowed - data} == set(
        live["forbidden_modules"]
    )
