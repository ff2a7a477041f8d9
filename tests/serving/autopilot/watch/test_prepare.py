"""Detectors are prepared from history, and messages are labelled, listed and forgotten."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, ConfigurationError
from serving.autopilot.detection.baseline import Stream
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.inbound.message import InboundMessage
from serving.autopilot.inbound.taxonomy import load_taxonomy
from serving.autopilot.watch.finding import find_detector, find_taxonomy_in_force
from serving.autopilot.watch.history import recall_history
from serving.autopilot.watch.prepared import (
    PreparedDetector,
    prepare_detector,
    read_prepared,
    write_prepared,
)
from serving.autopilot.watch.wiring import wire_watcher
from serving.benchmarks.incidents.chains import ChainPlan, Law, make_chain, to_us
from serving.cli.main import build_app
from serving.settings import Settings
from serving.store.store import Store
from tests.serving.autopilot.watch.conftest import DAY, Chain, make_watcher

TEXTS = ("жарко", "холодно")
BRANCHES = ("branch-0", "branch-1", "branch-2")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five weeks of two topics in three branches."""
    chain = make_chain(ChainPlan(0.5, Law.GAMMA, n_weeks=5), rng=np.random.default_rng(3))
    moments = pd.to_datetime(to_us(chain.at_hours), unit="us", utc=True)
    rows = [
        (f"m{row}", at, f"c{who}", "whatsapp", stream.branch, TEXTS[int(stream.topic[-1])])
        for row, (at, who, stream) in enumerate(
            zip(
                moments,
                chain.customer.tolist(),
                (chain.streams[number] for number in chain.stream.tolist()),
                strict=True,
            )
        )
        if stream.topic in ("topic-0", "topic-1") and stream.branch in BRANCHES
    ]
    columns = ["inbound_id", "at", "customer_id", "source", "branch", "text"]
    path = tmp_path_factory.mktemp("history") / "inbound.parquet"
    pd.DataFrame(rows, columns=columns).to_parquet(path)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("OPPORTUNE_HOME", str(path))
    return path


def call(*arguments: str) -> str:
    done = CliRunner().invoke(
        build_app(["autopilot"]), ["autopilot", *arguments], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.stdout


def test_prepare_learns_shows_and_is_taken_up(history: Path, home: Path) -> None:
    told = call("prepare", "--messages", str(history), "--alarms", "2")
    prepared = find_detector(Settings(home=home))
    assert "budget: a false alarm 2.0 times a week in the whole chain" in told
    assert "real incidents among them, it would have alarmed" in told
    assert f"{home / 'detector.json'}: detector {prepared.version}" in told
    assert not prepared.baseline.is_assumed
    assert prepared.calibration.promised == pytest.approx(2.0)
    assert prepared.shown is not None
    assert prepared.shown.n_weeks == pytest.approx(2.9, abs=0.1)
    assert prepared.shown.low <= prepared.shown.per_week <= prepared.shown.high
    assert prepared.until is not None
    detector, now_us = prepared.make_detector(), round(prepared.until.timestamp() * 1_000_000)
    levels = [
        detector.level_per_day(Stream("branch-0", topic), now_us=now_us)
        for topic in ("heat", "cold", "smell")
    ]
    assert levels[0] > 10 * levels[2]
    assert levels[1] > 10 * levels[2]


def test_a_short_history_is_said_to_be_short(home: Path, tmp_path: Path) -> None:
    heat = Path(__file__).parents[1] / "heat.csv"
    path = tmp_path / "other.json"
    told = json.loads(call("prepare", "--messages", str(heat), "--out", str(path), "--json"))
    assert (told["is_assumed"], told["shown"]) == (True, None)
    assert told["n_streams"] == 26
    assert read_prepared(path).baseline.is_assumed
    assert not home.exists()


def test_prepare_from_what_was_read_needs_no_texts(chain: Chain) -> None:
    chain.post(DAY)
    with chain.store.transaction() as session:
        session.inbound.forget(before=DAY[-1].at + timedelta(days=1))
    with chain.store.reading() as session:
        found = recall_history(session, topics=chain.watcher.taxonomy.names)
        without_heat = recall_history(session, topics=["queue", "noise"])
    assert found.n_messages == len(DAY)
    assert found.branches == ("Abay 10", "Dostyk 5")
    heat = [one for one in found.seen if one.stream == Stream("Abay 10", "heat")]
    assert len(heat) == 8
    assert sum(one.customer_id is None for one in heat) == 1
    assert {one.stream.topic for one in without_heat.seen} == {"queue", "noise"}


def test_a_message_with_an_impossible_moment_does_not_stretch_the_weeks(chain: Chain) -> None:
    stray = [
        replace(DAY[0], inbound_id=f"stray{year}", at=DAY[0].at.replace(year=year))
        for year in (2016, 2036)
    ]
    chain.post(DAY)
    with chain.store.transaction() as session:
        session.inbound.add(stray, arrived_at=DAY[-1].at)
    chain.watcher.look(DAY[-1].at + timedelta(minutes=5))
    with chain.store.reading() as session:
        found = recall_history(session, topics=chain.watcher.taxonomy.names)
    assert found.n_messages == len(DAY)
    assert found.until - found.since < timedelta(days=2)


def test_nothing_read_is_nothing_to_learn_from(store: Store) -> None:
    with store.reading() as session, pytest.raises(BadInputError, match="no message"):
        recall_history(session, topics=["heat"])


def test_files_of_detectors_are_checked(assumed: PreparedDetector, tmp_path: Path) -> None:
    path = tmp_path / "detector.json"
    write_prepared(assumed, path)
    assert read_prepared(path) == assumed
    assert read_prepared(path).version == assumed.version
    path.write_text(assumed.model_dump_json().replace('"format":1', '"format":9'))
    with pytest.raises(ConfigurationError, match="format 9: expected 1"):
        read_prepared(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_prepared(tmp_path / "nothing.json")


def test_streams_of_other_topics_are_refused(assumed: PreparedDetector) -> None:
    made = prepare_detector(
        [],
        branches=["a"],
        since=DAY[0].at,
        until=DAY[1].at,
        zone="Asia/Almaty",
        taxonomy=load_taxonomy("salon"),
        settings=DetectionSettings(),
        made_at=DAY[1].at,
        n_messages=0,
        rng=np.random.default_rng(0),
    )
    given = made.model_dump() | {"taxonomy": load_taxonomy("delivery").model_dump()}
    with pytest.raises(ValueError, match="not in the taxonomy"):
        PreparedDetector.model_validate(given)


def test_the_watcher_is_wired_with_the_file_or_with_assumptions(
    assumed: PreparedDetector, tmp_path: Path, store: Store
) -> None:
    settings = Settings(home=tmp_path, taxonomy="delivery")
    assert find_taxonomy_in_force(settings).names == load_taxonomy("delivery").names
    write_prepared(assumed, settings.detector_file)
    wired = wire_watcher(settings, store=store)
    assert wired.watcher.taxonomy == load_taxonomy("salon")
    assert "what is usual is assumed" in wired.words
    assert "no customer is known" in wired.words
    assert wired.words.endswith("messages are sorted by stems and examples")
    named = Settings(home=tmp_path, detector=tmp_path / "none.json")
    with pytest.raises(ConfigurationError, match=r"none\.json"):
        find_detector(named)


def test_messages_are_listed_labelled_and_forgotten(home: Path, assumed: PreparedDetector) -> None:
    write_prepared(assumed, home / "detector.json")
    at = datetime.now(UTC) - timedelta(days=2)
    text = "зал как термос, звоните +7 701 123 45 67"
    store = Store(home / "store.db")
    with store.transaction() as session:
        message = InboundMessage("m1", at, "c101", "whatsapp", "Abay 10", text)
        session.inbound.add([message], arrived_at=at)
    make_watcher(store, assumed).look(at)
    (listed,) = json.loads(call("messages", "--json"))["messages"]
    assert listed["text"] == "зал как термос, звоните [phone]"
    assert "m1: heat; it was sorted under other" in call("label", "m1", "heat", "--by", "Dana")
    for wrong in (("m1", "steam"), ("m2", "heat")):
        with pytest.raises(BadInputError):
            call("label", *wrong, "--by", "Dana")
    assert json.loads(call("forget", "--days", "3", "--by", "Dana", "--json"))["n_forgotten"] == 0
    assert "1 messages are gone" in call("forget", "--days", "1", "--by", "Dana")
    assert "(forgotten)" in call("messages")
    with store.reading() as session:
        (label,) = session.inbound.find_labels()
        told = [(one.kind, one.words) for one in session.audit.read()]
    assert (label.topic, label.text) == ("heat", "зал как термос, звоните [phone]")
    assert told[0] == ("human", "Dana says that message m1 is about heat")
    assert "texts of 1 messages" in told[-1][1]
    with pytest.raises(BadInputError, match="forgotten"):
        call("label", "m1", "heat", "--by", "Dana")
    told_again = json.loads(call("prepare", "--alarms", "3", "--json"))
    assert (told_again["n_messages"], told_again["n_streams"]) == (1, 13)
    assert told_again["version"] != assumed.version
    store.close()
