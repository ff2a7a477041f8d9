"""The command line, through its own entry point."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, SourceUnreadableError
from features.sources import write_tables
from features.tables import Tables
from serving.cli.main import build_app
from serving.cli.output import parse_moment

AS_OF = "2026-06-10T07:00:00+00:00"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(arguments[:1]), list(arguments), catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


def test_check_accepts_clean_tables(
    run: Callable[..., tuple[int, str]], tables_folder: Path
) -> None:
    code, out = run("check", "--data", str(tables_folder), "--as-of", AS_OF, "--json")

    assert code == 0
    assert json.loads(out)["valid"] is True


def test_check_names_faults_and_exits_non_zero(
    run: Callable[..., tuple[int, str]], tables: Tables, tmp_path: Path
) -> None:
    orders = tables["orders"].assign(customer_id="nobody")
    write_tables({**tables, "orders": orders}, tmp_path / "bad")

    code, out = run("check", "--data", str(tmp_path / "bad"), "--as-of", AS_OF, "--json")
    words_code, words = run("check", "--data", str(tmp_path / "bad"), "--as-of", AS_OF)

    found = json.loads(out)["violations"]
    assert (code, words_code) == (1, 1)
    assert [(v["table"], v["column"], v["n_rows"]) for v in found] == [
        ("orders", "customer_id", 30)
    ]
    assert "orders.customer_id" in words


def test_check_takes_rows_after_the_moment_for_violations(
    run: Callable[..., tuple[int, str]], tables_folder: Path
) -> None:
    code, out = run("check", "--data", str(tables_folder), "--as-of", "2026-06-01", "--json")

    assert code == 1
    assert {v["rule"] for v in json.loads(out)["violations"]} == {"future_row"}


def test_decide_writes_records_and_repeats_itself(
    run: Callable[..., tuple[int, str]], tables_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "decisions.parquet"
    arguments = ("decide", "--data", str(tables_folder), "--as-of", AS_OF, "--out", str(out))
    code, printed = run(*arguments, "--json")
    first = pd.read_parquet(out)
    run(*arguments)

    assert code == 0
    assert json.loads(printed)["decisions"] == len(first) > 0
    assert json.loads(first["record"].iloc[0])["decision_id"] == first["decision_id"].iloc[0]
    pd.testing.assert_frame_equal(pd.read_parquet(out), first)


def test_features_writes_one_row_per_customer(
    run: Callable[..., tuple[int, str]], tables_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "features.parquet"
    code, printed = run("features", "--data", str(tables_folder), "--out", str(out), "--json")

    assert code == 0
    assert json.loads(printed)["rows"] == len(pd.read_parquet(out)) == 60


def test_simulate_writes_tables_that_check_accepts(
    run: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    folder = tmp_path / "world"
    arguments = ("--customers", "60", "--days", "20", "--seed", "3", "--json")
    code, printed = run("simulate", "--out", str(folder), *arguments)
    checked, _ = run("check", "--data", str(folder))

    assert (code, checked) == (0, 0)
    assert json.loads(printed)["rows"]["customers"] > 30


def test_commands_end_in_a_message_and_a_status_not_a_traceback(tmp_path: Path) -> None:
    program = str(Path(sys.executable).with_name("opportune"))
    done = subprocess.run(
        [program, "check", "--data", str(tmp_path / "nothing"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "nothing" in done.stderr
    assert "Traceback" not in done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["code"] == SourceUnreadableError.code
    assert error["message"] in done.stderr


@pytest.mark.parametrize("text", ["yesterday", "2026-06-01T09:00", "2026-13-01"])
def test_parse_moment_refuses_what_is_not_a_moment(text: str) -> None:
    with pytest.raises(BadInputError, match=text):
        parse_moment(text)


def test_every_command_has_help(run: Callable[..., tuple[int, str]]) -> None:
    _, listed = run("--help")
    for command in (
        *("demo", "simulate", "import", "check", "features", "triggers"),
        *("train", "promote", "decide", "serve", "bench"),
    ):
        assert command in listed
        code, text = run(command, "--help")
        assert code == 0
        assert "--" in text


def test_every_listed_command_can_be_loaded() -> None:
    listed = build_app(())
    names = [command.name for command in listed.registered_commands if command.name]
    loaded = build_app(names)

    commands = {command.callback for command in loaded.registered_commands}
    groups = {group.name for group in loaded.registered_groups}
    assert len(commands) + len(groups) == len(names)
    assert groups == {
        *("audit", "autopilot", "console", "copy", "incident", "online", "playbooks", "report"),
    }


def test_help_imports_no_model_library() -> None:
    code = (
        "import sys; sys.argv = ['opportune', '--help']\n"
        "from serving.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('mlflow', 'lightgbm', 'bentoml', 'duckdb') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip().endswith("[]")
