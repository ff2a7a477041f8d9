"""SIGKILL at every point between two writes of the case workflow, on the driver that acts."""

from dataclasses import replace
from pathlib import Path

from serving.audit.chain import verify_chain
from serving.store.cases import CaseExit, CaseRow, OfferRow, OfferState
from serving.store.store import Store
from serving.store.tasks import TaskRow, TaskState
from tests.serving.workflows.kills import End, Zygote, read_end

SCENE = "tests.serving.playbooks.scene"


def read_own(folder: Path) -> tuple[list[CaseRow], list[TaskRow], list[OfferRow], list[str]]:
    """Cases, tasks, offers, and the keys of every decision, of which each may be once."""
    store = Store(folder / "store.db")
    with store.reading() as session:
        decisions = [d for lot in session.read_decisions() for d in lot]
        found = (
            list(session.cases.list()),
            list(session.tasks.list(states=tuple(TaskState))),
            list(session.cases.list_offers()),
            sorted(str(decision.idempotency_key) for decision in decisions),
        )
        n_cancelled = len(session.find_cancelled())
    store.close()
    assert n_cancelled == sum(len(d.messages) for d in decisions)
    return found


def tell_cases(end: End) -> list[tuple[str, int, str, str, str]]:
    """What the log says of each case, in its order."""
    entries = sorted(end.log, key=lambda entry: (entry.subject, entry.seq))
    return [(e.subject, e.at_us, e.by, e.words, e.body) for e in entries]


def test_a_kill_at_every_point_of_a_case_leaves_what_no_kill_leaves(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    with Zygote() as zygote:
        zygote.run_whole(SCENE, whole)
        points = zygote.run_killed(SCENE, killed)

    end, once = read_end(killed), read_end(whole)
    assert len(points) > 40
    # The log holds both cases; which of two that are due at one moment goes first, chance decides.
    assert replace(end, log=()) == replace(once, log=())
    assert tell_cases(end) == tell_cases(once)
    assert verify_chain(end.log).fault is None
    assert end.ledger_faults == ()
    assert read_own(killed) == read_own(whole)
    cases, tasks, offers, keys = read_own(killed)
    assert {case.customer_id: case.exit_reason for case in cases} == {
        "critical": CaseExit.COMPLETED,
        "medium": CaseExit.RECOVERED,
    }
    assert [offer.state for offer in offers] == [OfferState.ACCEPTED]
    assert sorted(task.kind for task in tasks) == ["call", "offer"]
    assert len(keys) == len(set(keys)) == 1
