"""What is known online, from the command line."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from features.errors import ConfigurationError, NotReadyError
from features.sources import read_tables, write_tables
from features.tables import Tables
from features.vocabulary import Trigger
from serving.cli.main import build_app
from serving.decide import Engine
from serving.online.desk import EventDesk
from serving.online.records import Event, EventReport
from serving.records import DecisionRequest
from serving.snapshot.state import Snapshot
from serving.store.store import Store

AS_OF = "2026-06-10T07:00:00+00:00"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home whose store is the fixture `store`."""
    return tmp_path


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("OPPORTUNE_HOME", str(home))

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(arguments[:1]), list(arguments), catch_exceptions=False
        )
        return result.exit_code, result.stdout

    return invoke


def decide(engine: Engine, *, at: datetime) -> None:
    ids = engine.snapshot.customers.profile["customer_id"].tolist()
    engine.decide_many(
        [DecisionRequest(customer_id=i, trigger=Trigger.INACTIVITY, decided_at=at) for i in ids]
    )


def post(store: Store, snapshot: Snapshot, *events: Event, at: datetime) -> None:
    report = EventReport(events=list(events), known_at=at, find_triggers=False)
    EventDesk(store, takes_callers_time=True).take(report, snapshot, now=at)


def read_tables_in(folder: Path) -> Tables:
    """Tables without the customers that they are about."""
    return {path.stem: pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))}


def test_rebuild_and_status_say_what_there_is(
    run: Run, store: Store, tables_folder: Path, snapshot: Snapshot, event: Callable[..., Event]
) -> None:
    nothing = json.loads(run("online", "status", "--json")[1])
    arguments = ("--data", str(tables_folder), "--as-of", AS_OF, "--json")
    code, out = run("online", "rebuild", *arguments)
    post(
        store,
        snapshot,
        event("activity", customer_id="c001", at=snapshot.as_of, kind="login"),
        at=snapshot.as_of,
    )
    status = json.loads(run("online", "status", "--json")[1])

    assert (nothing["rebuilt_as_of"], nothing["states"], nothing["facts"]) == (None, 0, 0)
    assert code == 0
    assert json.loads(out) == {
        "as_of": AS_OF, "generation": 1, "customers": 60, "with_posted_facts": 0,
    }  # fmt: skip
    assert status["rebuilt_as_of"] == status["last_fact_known_at"] == AS_OF
    assert (status["states"], status["facts"]) == (60, 1)
    assert status["tables"] == ["activity", "customers", "orders"]
    assert "rebuilt as of" in run("online", "status")[1]


def test_rebuild_refuses_the_tables_of_another_company(
    run: Run, tables: Tables, tables_folder: Path, tmp_path: Path
) -> None:
    run("online", "rebuild", "--data", str(tables_folder))
    others = tables["customers"].assign(customer_id=[f"x{n}" for n in range(60)])
    write_tables({"customers": others}, tmp_path / "others")

    with pytest.raises(ConfigurationError, match="another company"):
        run("online", "rebuild", "--data", str(tmp_path / "others"))


def test_parity_exits_with_a_sentence_and_a_status(
    run: Run,
    tables: Tables,
    tables_folder: Path,
    tmp_path: Path,
    snapshot: Snapshot,
    engine_of: Callable[[Snapshot], Engine],
) -> None:
    run("online", "rebuild", "--data", str(tables_folder), "--as-of", AS_OF)
    with pytest.raises(NotReadyError, match="nothing to compare"):
        run("parity", "--data", str(tables_folder))
    decide(engine_of(snapshot), at=snapshot.as_of)
    write_tables({**tables, "activity": tables["activity"].iloc[:0]}, tmp_path / "emptied")

    same = ("parity", "--data", str(tables_folder), "--home", str(tmp_path), "--until", AS_OF)
    same_code, said = run(*same)
    skewed = ("parity", "--data", str(tmp_path / "emptied"), "--until", AS_OF)
    skew_code, skew = run(*skewed)
    json_code, as_json = run(*skewed, "--json")

    assert same_code == 0, said
    assert "no skew" in said
    assert skew_code == json_code == 1
    assert "SKEW:" in skew
    # What was told at seven is known right after it.
    assert "customer c000 at 2026-06-10T07:00:00.000001+00:00" in skew
    report = json.loads(as_json)
    named = {(f["set"], f["feature"]): f for f in report["features"] if f["differing"]}
    assert report["skewed"] == len(named)
    assert named["engagement", "activity_90d"]["examples"][0]["rebuilt"] == 0.0


def test_export_writes_posted_facts_as_tables(
    run: Run, store: Store, tmp_path: Path, snapshot: Snapshot, event: Callable[..., Event]
) -> None:
    out = tmp_path / "posted"
    with pytest.raises(NotReadyError, match="nothing to export"):
        run("online", "export", "--out", str(out))
    at = snapshot.as_of
    customer = {
        "signed_up_at": at - timedelta(days=9), "language": "kk", "timezone": "Asia/Almaty",
    }  # fmt: skip
    order = {"order_id": "o1", "customer_id": "new", "ordered_at": at, "amount_cents": 5}
    post(
        store,
        snapshot,
        event("customers", customer_id="new", **customer),
        event("orders", **order),
        event("orders", **order | {"amount_cents": 6}),
        event("activity", customer_id="stranger", at=at, kind="login"),
        event("activity", customer_id="new", at=at + timedelta(days=400), kind="login"),
        at=at,
    )

    code, said = run("online", "export", "--out", str(out), "--json")
    checked, _ = run("check", "--data", str(out), "--as-of", "2026-06-11")

    assert (code, checked) == (0, 0)
    assert json.loads(said)["rows"] == {"customers": 1, "orders": 2}
    assert json.loads(said)["left_out"] == {"activity": 1}
    assert json.loads(said)["to_come"] == {"activity": 1}
    orders = read_tables(out)["orders"].sort_values("known_at")
    assert orders["amount_cents"].tolist() == [5, 6]
    told = [at + timedelta(microseconds=n) for n in (1, 2)]
    assert [t.to_pydatetime() for t in orders["known_at"]] == told


def test_decisions_are_written_with_what_the_tables_hold(
    run: Run,
    store: Store,
    tables: Tables,
    tables_folder: Path,
    tmp_path: Path,
    snapshot: Snapshot,
    engine_of: Callable[[Snapshot], Engine],
) -> None:
    out, again = tmp_path / "logged", tmp_path / "again"
    with pytest.raises(NotReadyError, match="nothing was decided"):
        run("online", "decisions", "--data", str(tables_folder), "--out", str(out))
    decide(engine_of(snapshot), at=snapshot.as_of)
    with store.transaction() as session:
        n_messages = sum(len(d.messages) for lot in session.read_decisions() for d in lot)

    code, said = run(
        "online", "decisions", "--data", str(tables_folder), "--out", str(out), "--json"
    )
    written = json.loads(said)
    write_tables({**tables, **read_tables_in(out)}, tmp_path / "together")
    checked, _ = run("check", "--data", str(tmp_path / "together"), "--as-of", "2026-08-11")
    table = run("online", "decisions", "--data", str(tmp_path / "together"), "--out", str(again))[1]

    assert (code, checked) == (0, 0)
    assert written["rows"]["decisions"] == written["added"]["decisions"] == 60
    assert written["rows"]["messages"] + written["to_come"] == n_messages > 0
    assert written["left_out"] == {}
    assert "decisions" in table
    assert len(read_tables_in(again)["decisions"]) == 60
