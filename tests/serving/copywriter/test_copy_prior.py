"""`opportune copy learn-prior`: from a company's own messages and outcomes to a prior."""

import json
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from features.sources import write_tables
from features.vocabulary import Channel, Trigger
from serving.cli.copy_prior import learn_prior
from serving.copywriter.first_belief import load_variant_prior
from tests.conftest import frame_of

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MONTHS = 2
N_EACH = 80  # messages of a variant in a cell and month
MARKETING = [trigger for trigger in Trigger if not trigger.is_service]


def write_company(folder: Path, *, p_warm: float) -> Path:
    """Two months of marketing in English; clear words convert one in ten, warm ones `p_warm`."""
    rng = np.random.default_rng(1)
    messages, outcomes = [], []
    cells = product(MARKETING, Channel, range(MONTHS), ("clear", "warm"), range(N_EACH))
    for at, (trigger, channel, month, style, n) in enumerate(cells):
        sent_at = START + timedelta(days=31 * month, minutes=7 * n)
        messages.append(
            {
                "message_id": f"m{at:06d}",
                "customer_id": f"c{at % 500:04d}",
                "decision_id": f"d{at:06d}",
                "trigger": trigger.value,
                "channel": channel.value,
                "variant": f"{trigger}.{channel}.{style}",
                "sent_at": sent_at,
                "arm": "random",
                "propensity": 0.5,
                "cost_cents": 0.0,
            }
        )
        if rng.random() < (p_warm if style == "warm" else 0.1):
            outcomes.append(
                {
                    "message_id": f"m{at:06d}",
                    "outcome": "converted",
                    "at": sent_at + timedelta(hours=5),
                    "machine": False,
                }
            )
    customers = [
        {
            "customer_id": f"c{n:04d}",
            "signed_up_at": START - timedelta(days=100),
            "language": "en",
            "timezone": "UTC",
        }
        | {f"consent_{channel}": True for channel in Channel}
        for n in range(500)
    ]
    tables = {"customers": customers, "messages": messages, "outcomes": outcomes}
    write_tables({name: frame_of(name, rows) for name, rows in tables.items()}, folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(learn_prior)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return done.exit_code, done.stdout


def test_words_that_earned_more_are_expected_to_again(home: Path, tmp_path: Path) -> None:
    data, out = write_company(tmp_path / "data", p_warm=0.25), tmp_path / "made" / "prior.json"
    as_of = (START + timedelta(days=200)).isoformat()
    status, told = run("--data", str(data), "--out", str(out), "--as-of", as_of, "--json")
    found = json.loads(told)
    assert status == 0
    assert found["n_tests"] == len(MARKETING) * len(Channel) * MONTHS
    assert found["pairs_ranked"][1] > 0.6
    prior = load_variant_prior(out)
    assert prior.languages == ("en",)
    clear, warm = "lower price for {item}", "good news about {item}: the price is now lower"
    beliefs = prior.believe([clear, warm], language="en")
    assert beliefs is not None
    assert beliefs[1].shift > 0.0 > beliefs[0].shift


def test_words_that_earned_alike_teach_nothing(home: Path, tmp_path: Path) -> None:
    data, out = write_company(tmp_path / "data", p_warm=0.1), tmp_path / "prior.json"
    as_of = (START + timedelta(days=200)).isoformat()
    status, told = run("--data", str(data), "--out", str(out), "--as-of", as_of)
    assert status == 1
    assert "not learned" in told
    assert not out.exists()


def test_too_few_tests_are_said(home: Path, tmp_path: Path) -> None:
    data = write_company(tmp_path / "data", p_warm=0.25)
    as_of = (START + timedelta(days=2)).isoformat()  # no window has closed
    status, told = run(
        "--data", str(data), "--out", str(tmp_path / "prior.json"), "--as-of", as_of, "--json"
    )
    found = json.loads(told)
    assert status == 1
    assert (found["learned"], found["n_tests"]) == (False, 0)
    assert "0 finished tests" in found["reason"]
