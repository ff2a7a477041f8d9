"""`opportune autopilot replay` on files of messages."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from features.errors import BadInputError, SourceUnreadableError, TablesRefusedError
from features.sources import write_tables
from serving.autopilot.inbound.files import read_messages
from serving.benchmarks.incidents.chains import ChainPlan, Law, make_chain, to_us
from serving.cli.main import build_app

HEAT = Path(__file__).with_name("heat.csv")


def replay(*arguments: str) -> str:
    called = ["autopilot", "replay", *arguments]
    done = CliRunner().invoke(build_app(["autopilot"]), called, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_replay_sees_the_heat_and_not_the_two_who_push() -> None:
    told = json.loads(replay("--messages", str(HEAT), "--json"))
    (incident,) = told["incidents"]
    assert (incident["branch"], incident["topic"]) == ("Abay 10", "heat")
    assert incident["first_at"] == "2026-07-14T13:02:00+00:00"
    assert incident["minutes_to_detect"] <= 15
    assert incident["n_customers"] == 7
    assert incident["n_strangers"] == 1
    assert incident["languages"] == {"ru": 2, "kk": 1}
    assert incident["end_reason"] == "silence"
    assert incident["ended_at"] > "2026-07-14T13:42"
    assert told["taken"]["repeated"] == 5
    assert told["topics"]["cleanliness"] == 7
    assert told["false_alarms_per_week"]["is_assumed"] is True
    assert told["preview"] is None


def test_replay_tells_a_story() -> None:
    told = replay("--messages", str(HEAT))
    for words in (
        "2026-07-14 18:13 (Asia/Almaty)  Abay 10: complaints about heat",
        "since 18:02: 3 customers within 11 minutes",
        "моншадай",
        "grew to 7 customers",
        "1 more by people who are no known customers",
        "is assumed",
    ):
        assert words in told


def test_replay_asks_the_tables_who_is_a_customer(
    clean_tables: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    customers = (
        clean_tables["customers"]
        .head(3)
        .assign(customer_id=["c101", "c102", "c103"], language="en", region="Abay")
    )
    disruptions = (
        clean_tables["disruptions"]
        .head(1)
        .assign(starts_at=pd.Timestamp("2026-07-14T10:00", tz="UTC"), ends_at=pd.NaT, region="Abay")
    )
    write_tables({"customers": customers, "disruptions": disruptions}, tmp_path)
    told = json.loads(replay("--messages", str(HEAT), "--data", str(tmp_path), "--json"))
    (incident,) = told["incidents"]
    assert incident["customers"] == ["c101", "c102", "c103"]
    assert incident["languages"] == {"en": 3}
    assert incident["explanations"] == [
        {"trigger": "service_disruption", "subject": "d0", "n_touched": 3}
    ]
    assert incident["n_strangers"] == 5


def test_replay_learns_from_weeks_of_history(tmp_path: Path) -> None:
    chain = make_chain(ChainPlan(0.5, Law.GAMMA, n_weeks=5), rng=np.random.default_rng(3))
    texts = {f"topic-{n}": text for n, text in enumerate(("жарко", "холодно", "воняет", "грязно"))}
    frame = pd.DataFrame(
        [
            (f"m{row}", at, f"c{who}", "whatsapp", stream.branch, texts[stream.topic])
            for row, (at, who, stream) in enumerate(
                zip(
                    pd.to_datetime(to_us(chain.at_hours), unit="us", utc=True),
                    chain.customer.tolist(),
                    (chain.streams[number] for number in chain.stream.tolist()),
                    strict=True,
                )
            )
            if stream.topic in texts
        ],
        columns=["inbound_id", "at", "customer_id", "source", "branch", "text"],
    )
    last = frame["at"].max()
    seven = pd.DataFrame(
        [
            (f"x{n}", last - timedelta(hours=20 - n / 10), f"x{n}", "whatsapp", "branch-0", "дубак")
            for n in range(7)
        ],
        columns=list(frame.columns),
    )
    path = tmp_path / "inbound.parquet"
    pd.concat([frame, seven], ignore_index=True).to_parquet(path)
    told = json.loads(replay("--messages", str(path), "--alarms", "0.5", "--json"))
    assert told["false_alarms_per_week"]["is_assumed"] is False
    assert told["false_alarms_per_week"]["promised"] == pytest.approx(0.5)
    assert told["preview"]["n_weeks"] == pytest.approx(2.0, abs=0.1)
    assert told["preview"]["low"] <= told["preview"]["per_week"] <= told["preview"]["high"]
    found = [one for one in told["incidents"] if "x0" in one["customers"]]
    assert [one["topic"] for one in found] == ["cold"]
    assert datetime.fromisoformat(found[0]["detected_at"]) <= last - timedelta(hours=19)


def test_replay_says_what_it_cannot_place(tmp_path: Path) -> None:
    path = tmp_path / "messages.csv"
    path.write_text(
        "inbound_id,at,customer_id,source,branch,text\n"
        "1,2026-07-14T18:02:00+05:00,c1,sms,,грязно\n"
        "2,2026-07-14T18:03:00+05:00,c2,sms,b,спасибо!\n",
        encoding="utf-8",
    )
    assert json.loads(replay("--messages", str(path), "--json"))["n_unplaced"] == 1
    told = replay("--messages", str(path))
    assert "1 complaints name no branch and are not watched" in told
    assert "No burst of complaints." in told


def test_replay_quotes_no_line_breaks_and_escapes(tmp_path: Path) -> None:
    frame = pd.read_csv(HEAT)
    frame["text"] = frame["text"] + "\n\x1b[31m  over at 00:00"
    path = tmp_path / "messages.csv"
    frame.to_csv(path, index=False)
    told = replay("--messages", str(path))
    assert "\x1b" not in told
    assert not any(line.startswith("  over at 00:00") for line in told.splitlines())
    assert "over at 00:00" in told


def test_replay_refuses_what_it_cannot_read(tmp_path: Path) -> None:
    text = tmp_path / "messages.txt"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(SourceUnreadableError, match=r"expected a \.csv or \.parquet"):
        read_messages(text)
    with pytest.raises(SourceUnreadableError, match="cannot be read"):
        read_messages(tmp_path / "none.csv")
    broken = tmp_path / "broken.csv"
    broken.write_text("inbound_id,at,source\n1,yesterday,sms\n", encoding="utf-8")
    with pytest.raises(TablesRefusedError, match="text"):
        read_messages(broken)
    empty = tmp_path / "empty.csv"
    empty.write_text("inbound_id,at,customer_id,source,branch,text\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="holds no message"):
        replay("--messages", str(empty))
    nowhere = tmp_path / "nowhere.csv"
    lines = HEAT.read_text(encoding="utf-8").splitlines()
    assert lines[0].split(",")[4] == "branch"
    cells = [line.split(",", 5) for line in lines[1:]]
    rows = [",".join([*one[:4], "", one[5]]) for one in cells]
    nowhere.write_text("\n".join([lines[0], *rows]), encoding="utf-8")
    with pytest.raises(BadInputError, match="no message names a branch, expected one"):
        replay("--messages", str(nowhere))
    for zone in ("Almaty", "Asia"):  # the second one is a folder of zones
        with pytest.raises(BadInputError, match=f"--zone '{zone}'"):
            replay("--messages", str(HEAT), "--zone", zone)
