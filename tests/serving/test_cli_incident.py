"""Commands of whoever is on duty, and the sample-ratio alarm of `opportune monitor`."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, ConflictError, SourceUnreadableError
from features.vocabulary import Arm, Outcome, Trigger
from serving.cli.main import build_app
from serving.decide import Engine
from serving.policy.settings import load_policy_settings
from serving.records import Decision, DecisionRequest, OutcomeEvent
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from tests.conftest import AS_OF
from training.monitoring.arms import check_arms
from training.monitoring.status import Status

Run = Callable[..., tuple[int, str]]
EngineMaker = Callable[[Snapshot], Engine]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(arguments[:1]), list(arguments), catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


def test_incidents_are_opened_listed_and_closed(run: Run, home: Path) -> None:
    Store(home / "store.db").close()
    at = ["--at", "2026-06-10T07:00:00+00:00"]
    run("incident", "open", "heating", "--region", "north", *at)
    two = ["--customer", "c1", "--customer", "c2"]
    _, opened = run("incident", "open", "two", *two, *at, "--json")
    with pytest.raises(ConflictError):
        run("incident", "open", "heating", "--region", "north")
    with pytest.raises(BadInputError, match="--until 'noon': expected ISO 8601"):
        run("incident", "open", "third", "--region", "north", "--until", "noon")
    run("incident", "close", "heating", "--at", "2026-06-10T09:00:00+00:00", "--json")

    _, out = run("incident", "list", "--json")

    assert json.loads(out)["incidents"] == [
        {
            "incident": "heating",
            "region": "north",
            "customers": [],
            "starts_at": "2026-06-10T07:00:00+00:00",
            "ends_at": "2026-06-10T09:00:00+00:00",
        },
        {
            "incident": "two",
            "region": None,
            "customers": ["c1", "c2"],
            "starts_at": "2026-06-10T07:00:00+00:00",
            "ends_at": None,
        },
    ]
    assert json.loads(opened) == json.loads(out)["incidents"][1]
    listed = run("incident", "list")[1]
    assert "heating" in listed
    assert "c1, c2" in listed


def test_the_list_shows_the_first_of_many_customers(run: Run, home: Path) -> None:
    Store(home / "store.db").close()
    asked = [part for n in range(8) for part in ("--customer", f"c{n}")]
    run("incident", "open", "many", *asked)

    assert "c0, c1, c2, c3, c4 and 3 more" in run("incident", "list")[1]


@pytest.mark.parametrize(
    "asked",
    [
        ["incident", "open", "heating", "--region", "north"],
        ["incident", "close", "heating"],
        ["incident", "list"],
        ["cancel", "m1"],
        ["learn", "--once"],
    ],
)
def test_a_home_without_a_store_is_refused_and_not_made(
    asked: list[str], run: Run, home: Path
) -> None:
    with pytest.raises(SourceUnreadableError, match="this home has no store yet"):
        run(*asked)
    assert not home.exists()


def test_learn_once_with_nothing_new_prints_one_object(run: Run, home: Path) -> None:
    Store(home / "store.db").close()
    asked = ["learn", "--once", "--json", "--as-of", "2026-06-10"]
    _, first = run(*asked)
    _, second = run(*asked)

    assert json.loads(first)["version"] is not None
    assert json.loads(second) == json.loads(first) | {"version": None, "rebuilt": False}


def _words(*arguments: str) -> str:
    """What a command says to whoever watches, and its results."""
    return CliRunner().invoke(build_app(arguments[:1]), list(arguments)).output


def _send_one(engine: Engine) -> Decision:
    """A decision of several that sends a message."""
    ids = [f"c{n:03d}" for n in range(6)]
    asked = [DecisionRequest(customer_id=i, trigger=Trigger.ORDER_SHIPPED) for i in ids]
    return next(decision for decision in engine.decide_many(asked) if decision.send)


def test_learn_says_that_nothing_was_ever_told_of_any_message(
    home: Path, cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    store = Store(home / "store.db")
    sent = _send_one(replace(engine_of(cold_snapshot), store=store))
    assert sent.send_at is not None
    later = sent.send_at + timedelta(days=9)
    words = _words("learn", "--once", "--as-of", later.isoformat())
    assert "no outcome of any message was ever told" in words
    told = OutcomeEvent(
        message_id=sent.messages[0].message_id, outcome=Outcome.OPENED, at=sent.send_at
    )
    with store.transaction() as session:
        session.add_outcomes([told])
    store.close()
    words = _words("learn", "--once", "--as-of", (later + timedelta(hours=1)).isoformat())
    assert "learned" in words
    assert "was ever told" not in words


def test_cancel_says_what_became_of_each_message(
    run: Run, home: Path, cold_snapshot: Snapshot, engine_of: EngineMaker
) -> None:
    store = Store(home / "store.db")
    sent = _send_one(replace(engine_of(cold_snapshot), store=store))
    store.close()
    message_id = sent.messages[0].message_id

    in_time, out = run("cancel", message_id, "--at", AS_OF.isoformat(), "--json")
    again, repeated = run("cancel", message_id, "--at", AS_OF.isoformat(), "--json")
    unknown, _ = run("cancel", "nobody", "--at", AS_OF.isoformat())

    assert (in_time, again, unknown) == (0, 0, 1)
    assert json.loads(repeated)["states"] == {message_id: "duplicate"}
    assert json.loads(out)["states"] == {message_id: "cancelled"}


def test_the_store_counts_customers_by_the_arm_of_their_first_decision(
    cold_snapshot: Snapshot, engine_of: EngineMaker, store: Store
) -> None:
    engine = engine_of(cold_snapshot)
    ids = [f"c{n:03d}" for n in range(60)]
    for trigger in (Trigger.SERVICE_DISRUPTION, Trigger.PRICE_DROP, Trigger.INACTIVITY):
        engine.decide_many([DecisionRequest(customer_id=i, trigger=trigger) for i in ids])
    critical = [Trigger.SERVICE_DISRUPTION]

    with store.reading() as session:
        found = session.count_assigned("always-on", critical=critical, until=AS_OF.replace(day=11))
        before = session.count_assigned("always-on", critical=critical, until=AS_OF)
        other = session.count_assigned("spring", critical=critical, until=AS_OF.replace(day=11))

    assert len(found.days) == 1
    assert sum(found.days[0].values()) == 60
    assert found.days[0][Arm.HOLDOUT] > 0  # critical decisions would have made rules of them
    assert found.n_moved == 0
    assert before.days == other.days == ()


def test_check_arms_alarms_on_a_planted_skew_and_on_customers_who_moved() -> None:
    shares = load_policy_settings().arms
    planned = {arm: round(10_000 * share) for arm, share in shares.items()}
    skewed = planned | {Arm.HOLDOUT: 350}

    assert check_arms([planned], shares=shares).status is Status.OK
    assert check_arms([], shares=shares).status is Status.UNKNOWN
    assert check_arms([planned], shares=shares, n_moved=1).status is Status.ALARM
    alarm = check_arms([skewed], shares=shares)
    assert alarm.status is Status.ALARM
    assert "holdout: 3.55% of 9,850 customers, 5.00% planned" in alarm.findings[0].words
