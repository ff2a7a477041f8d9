"""What tests do with a small workflow, and ask of it."""

import json

from serving.corridor.actions import ActionState
from serving.workflows.words import approve_action, veto_action
from tests.serving.workflows.small import LONG, NOON, Small


def run(small: Small) -> None:
    small.start()
    small.driver.run_to_end(until=NOON + LONG)


def say(small: Small, topic: str, *, key: str = "k", yes: bool = True) -> None:
    with small.store.transaction() as session:
        body = json.dumps({"yes": yes})
        session.flows.signal("case/c1", topic=topic, at=small.clock.now, key=key, body_json=body)


def approve(small: Small, step: str) -> None:
    with small.store.transaction() as session:
        approve_action(
            session,
            f"case/c1/{step}",
            desk=small.desk,
            by="Dana",
            role="owner",
            now=small.clock.now,
        )


def veto(small: Small, step: str) -> None:
    with small.store.transaction() as session:
        veto_action(
            session,
            f"case/c1/{step}",
            desk=small.desk,
            by="Dana",
            role="viewer",
            now=small.clock.now,
        )


def state_of(small: Small, step: str) -> ActionState:
    with small.store.reading() as session:
        held = session.holds.find(f"case/c1/{step}")
        assert session.holds.find_faults() == []
    assert held is not None
    return held.state


def list_notices(small: Small) -> list[str]:
    with small.store.reading() as session:
        return [notice.key for notice in session.notices.find_of("case/c1")]
