"""Workflows and signals in the store."""

from datetime import UTC, datetime, timedelta

import pytest

from features.errors import ConflictError
from serving.store.flows import FlowState, Signal
from serving.store.store import Store

NOW = datetime(2026, 6, 10, 7, tzinfo=UTC)


def ask(store: Store, workflow_id: str = "case/c1") -> bool:
    with store.transaction() as session:
        return session.flows.start(workflow_id, kind="case", subject="c", given_json="{}", at=NOW)


def test_a_workflow_is_asked_for_once(store: Store) -> None:
    assert ask(store)
    assert not ask(store)
    with store.reading() as session:
        (flow,) = session.flows.list(kind="case", state=FlowState.ASKED)
        assert flow.asked_at == NOW
        assert session.flows.list(kind="incident") == []
        assert session.flows.find_asked(["case"], most=5) == [flow]


def test_a_signal_is_told_once_and_read_once_in_order(store: Store) -> None:
    with store.transaction() as session:
        for key in ("a", "b", "a"):
            session.flows.signal("case/c1", topic="news", at=NOW, key=key)
        assert session.flows.read_signal("case/c1", {"other"}, at=NOW) is None
        assert session.flows.read_signal("case/c2", {"news"}, at=NOW) is None
        assert session.flows.read_signal("case/c1", {"news"}, at=NOW) == Signal(
            "news", "{}", "a", NOW
        )
        second = session.flows.read_signal("case/c1", {"news"}, at=NOW)
        assert second is not None
        assert second.key == "b"
        assert session.flows.read_signal("case/c1", {"news"}, at=NOW) is None


def test_only_those_are_found_that_wait_for_what_they_were_told(store: Store) -> None:
    for workflow_id in ("case/c1", "case/c2"):
        ask(store, workflow_id)
        with store.transaction() as session:
            session.flows.begin(workflow_id, spec_json="{}", at=NOW)
            topics = ["news"] if workflow_id == "case/c1" else ["other"]
            later = NOW + timedelta(hours=1)
            session.flows.sleep(workflow_id, turn=1, until=later, topics=topics)
            session.flows.signal(workflow_id, topic="news", at=NOW, key="k")
    with store.reading() as session:
        assert [flow.workflow_id for flow in session.flows.find_told()] == ["case/c1"]
        assert session.flows.find_due(["case"], now=NOW, most=9) == []
        assert session.flows.find_next_due(NOW) == NOW + timedelta(hours=1)
        assert len(session.flows.find_due(["case"], now=NOW + timedelta(hours=1), most=9)) == 2


def test_a_result_is_kept_once(store: Store) -> None:
    with store.transaction() as session:
        session.flows.keep("case/c1", "k", "1", at=NOW)
    with pytest.raises(ConflictError, match="another process"), store.transaction() as session:
        session.flows.keep("case/c1", "k", "2", at=NOW)
    with store.reading() as session:
        assert session.flows.read_results("case/c1") == {"k": "1"}


def test_an_end_holds_and_forgets_the_results(store: Store) -> None:
    ask(store)
    with store.transaction() as session:
        session.flows.keep("case/c1", "k", "1", at=NOW)
        assert session.flows.end("case/c1", state=FlowState.ENDED, why="done", at=NOW)
        assert not session.flows.end("case/c1", state=FlowState.FAILED, why="late", at=NOW)
        session.flows.begin("case/c1", spec_json="{}", at=NOW)
    with store.reading() as session:
        flow = session.flows.find("case/c1")
        assert flow is not None
        assert (flow.state, flow.why) == (FlowState.ENDED, "done")
        assert session.flows.read_results("case/c1") == {}
