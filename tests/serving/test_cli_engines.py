"""Commands with `--engine`, through their own entry point."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from features.all_features import ALL_FEATURES
from features.errors import BadInputError, ConfigurationError, NotReadyError
from features.point_in_time import build_features, make_spine
from features.tables import Tables
from serving.cli.main import build_app

AS_OF = "2026-06-10T07:00:00+00:00"


def run(*arguments: str) -> tuple[int, str]:
    app = build_app(arguments[:1])
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return result.exit_code, result.stdout


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))


def test_features_are_those_of_the_tables_and_leave_nothing_beside_them(
    tables: Tables, tables_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "features.parquet"
    data = ("--data", str(tables_folder))
    code, printed = run("features", *data, "--as-of", AS_OF, "--out", str(out), "--json")

    found = pd.read_parquet(out).sort_values("customer_id", ignore_index=True)
    spine = make_spine(found["customer_id"], as_of=pd.Timestamp(AS_OF).to_pydatetime())
    assert code == 0
    assert json.loads(printed) == {
        "out": str(out),
        "rows": 60,
        "features": len(ALL_FEATURES.names),
    }
    expected = build_features(tables, spine, features=ALL_FEATURES)
    names = list(ALL_FEATURES.names)
    pd.testing.assert_frame_equal(found[names], expected[names])
    assert [path.name for path in out.parent.iterdir()] == ["features.parquet"]


def test_triggers_count_what_they_write(tables_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "cases.parquet"
    data = ("--data", str(tables_folder), "--as-of", AS_OF, "--json")
    _, written = run("triggers", *data, "--out", str(out))
    _, counted = run("triggers", *data)

    found = pd.read_parquet(out)
    answer = json.loads(written)
    assert answer == json.loads(counted)
    assert answer["by_trigger"] == found["trigger"].value_counts().sort_index().to_dict()
    assert answer["cases"] == len(found) > 0


def test_a_moment_before_everybody_is_refused(tables_folder: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "features.parquet")

    with pytest.raises(BadInputError, match="no customer is known before"):
        run("features", "--data", str(tables_folder), "--as-of", "2001-01-01", "--out", out)


def test_only_spark_reads_object_stores(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="only --engine spark reads object stores"):
        run("features", "--data", "s3a://lake/tables", "--out", str(tmp_path / "f"))


@pytest.mark.parametrize("command", ["features", "triggers", "decide"])
def test_parquet_is_not_written_under_the_name_of_another_kind(
    command: str, tmp_path: Path
) -> None:
    out = tmp_path / "cases.CSV"
    with pytest.raises(BadInputError, match=r"cases\.CSV: a parquet file is written"):
        run(command, "--data", str(tmp_path / "no-tables-here"), "--out", str(out))


def test_spark_without_java_is_a_sentence(
    tables_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    data = ("--data", str(tables_folder), "--out", str(tmp_path / "f"))

    for command in ("features", "triggers", "decide"):
        with pytest.raises(ConfigurationError, match="Spark needs Java 17"):
            run(command, *data, "--engine", "spark")


def test_score_without_a_champion_says_what_to_do(tables_folder: Path, tmp_path: Path) -> None:
    features = str(tmp_path / "features.parquet")
    run("features", "--data", str(tables_folder), "--as-of", AS_OF, "--out", features)

    with pytest.raises(NotReadyError, match="no churn champion yet"):
        run("score", "--features", features, "--out", str(tmp_path / "scores"))


def test_decide_names_a_broken_policy_before_it_reads_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("", encoding="utf-8")
    monkeypatch.setenv("OPPORTUNE_POLICY", str(policy))
    out = tmp_path / "decisions.parquet"

    with pytest.raises(ConfigurationError, match=r"policy\.yaml: expected names"):
        run("decide", "--data", str(tmp_path / "no-tables-here"), "--out", str(out))
