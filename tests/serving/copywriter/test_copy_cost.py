import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from features.errors import ConfigurationError
from serving.cli.copy_cost import cost

app = typer.Typer()
app.command()(cost)


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_cost_prints_the_arithmetic_of_ones_own_numbers() -> None:
    answer = json.loads(
        run(
            *("--segments", "2", "--triggers", "3", "--channels", "1", "--languages", "2"),
            *("--variants", "1", "--no-judge", "--no-batch", "--redrafted", "0"),
            *("--messages", "1000", "--model", "claude-haiku-5-5", "--json"),
            *("--system-tokens", "1200", "--user-tokens", "300", "--message-tokens", "250"),
        )
    )

    assert answer["plan"]["n_cells"] == answer["plan"]["n_calls"] == 12
    assert answer["models"] == {"writer": "claude-haiku-5-5", "judge": "claude-haiku-5-5"}
    live = next(row for row in answer["per_message"] if row["way"] == "live")
    assert live["usd"] == pytest.approx(0.35)  # 1,000 x (1,500 x 0.10 + 400 x 0.50) / 1e6
    assert live["ratio"] == pytest.approx(0.35 / answer["library_usd"]["total"])
    assert answer["library_usd"]["judge"] == 0
    assert answer["more"]["library_usd"] == 0


def test_cost_table_names_every_way_and_its_prices() -> None:
    shown = run()

    assert "4,500; with 10% asked again 4,950 calls" in shown
    assert "1,000,000 messages more: 0.00 USD from the library" in shown
    assert "Prices as of 2026-" in shown
    for row in ("(live, prompt cached)", "(batch, prompt cached)", "judge them"):
        assert row in shown


def test_cost_takes_another_file_of_prices(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(
        "as_of: 2027-01-01\nsource: contract\n"
        "models: {claude-sonnet-5-5: {input: 0, output: 0, cache_read: 0, cache_write: 0}}\n",
        encoding="utf-8",
    )

    answer = json.loads(run("--prices", str(path), "--json"))

    assert answer["prices"]["as_of"] == "2027-01-01"
    assert {row["ratio"] for row in answer["per_message"]} == {None}
    assert "never" in run("--prices", str(path))


def test_cost_of_an_unknown_model_names_those_that_are_known() -> None:
    with pytest.raises(ConfigurationError, match=r"'gpt'.*known: claude-"):
        CliRunner().invoke(app, ["--model", "gpt"], catch_exceptions=False)
