import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.errors import ConflictError
from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.copy.content import Content
from serving.learner import step as steps
from serving.learner.files import LearnerFiles
from serving.learner.fold import Settled
from serving.learner.step import basis_of, learn_from_log, take_step
from serving.policy.settings import load_policy_settings
from serving.records import (
    BanditContext,
    Decision,
    DecisionRequest,
    ModelVersions,
    OutcomeEvent,
    PlannedMessage,
    Reason,
)
from serving.store.store import Store, StoreSession
from training.bandit.context import LAYOUT
from training.bandit.rewards import RewardGoal, RewardLog, RewardState
from training.bandit.rewards.log import frame_of

START = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
POLICY = load_policy_settings()  # a window of three days
SETTLED = START + 6 * DAY  # when what was sent on the first day is settled


def record(number: int, at: datetime) -> Decision:
    """One e-mail to customer n % 5 in variant n % 3."""
    content = Content(subject="s", body="b", language="en", source="template")
    message = PlannedMessage(
        message_id=f"m{number}",
        channel=Channel.EMAIL,
        variant=f"v{number % 3}",
        content=content,
        cost_cents=0.1,
    )
    return Decision(
        decision_id=f"d{number}",
        customer_id=f"c{number % 5}",
        trigger=Trigger.PRICE_DROP,
        decided_at=at,
        arm=Arm.LEARNED,
        send=True,
        reason=Reason.CHOSEN,
        channels=(Channel.EMAIL,),
        send_at=at,
        variant=message.variant,
        content=content,
        messages=(message,),
        propensity=0.25,
        variants={message.variant: 0.5},
        priority=Priority.MEDIUM,
        cold_start=False,
        models=ModelVersions(),
        policy_version="p",
        feature_hash="f",
        features_as_of=None,
        context=BanditContext(
            language="kk", segment="gold", numbers=(0.5, None, 3.0, number % 4), layout=LAYOUT
        ),
    )


def send(store: Store, *sent: tuple[int, datetime]) -> None:
    records = [record(number, at) for number, at in sent]
    requests = [DecisionRequest(customer_id=r.customer_id, trigger=r.trigger) for r in records]
    with store.transaction() as session:
        session.add_decisions(records, requests)


def tell(store: Store, *told: tuple[int, Outcome, datetime]) -> None:
    events = [OutcomeEvent(message_id=f"m{n}", outcome=kind, at=at) for n, kind, at in told]
    with store.transaction() as session:
        session.add_outcomes(events)


def what_tables_said(store: Store, *, clicked: str | None = None) -> RewardLog:
    """The company's own record of the same messages, with a click of which the store knows not."""
    with store.reading() as session:
        log = session.learning.read_log(since_us=0)
    if clicked is None:
        return log
    sent = log.messages.set_index("message_id")["sent_at_us"]
    click = (clicked, Outcome.CONVERTED, int(sent[clicked]) + 3_600_000_000, False)
    return replace(log, outcomes=frame_of("outcomes", [click]))


def from_the_beginning(store: Store, at: datetime) -> tuple[str, str]:
    learned = learn_from_log(store, RewardLog.empty(), as_of=at, policy=POLICY)
    return learned.settled.bandit.to_json(), learned.served.to_json()


def published(files: LearnerFiles) -> tuple[str, str]:
    place, served = files.load_place(basis=basis_of(POLICY)), files.load_served()
    assert place is not None
    assert place.settled is not None
    assert served is not None
    return place.settled.bandit.to_json(), served.bandit.to_json()


@pytest.fixture
def files(tmp_path: Path) -> LearnerFiles:
    return LearnerFiles(tmp_path / "bandit")


def test_the_store_keeps_what_a_variant_was_chosen_by(store: Store) -> None:
    send(store, (1, START))
    old = BanditContext(language="ru", numbers=(1.0, 2.0), layout="of another list")
    earlier = [
        record(2, START).model_copy(update={"context": None}),
        record(3, START).model_copy(update={"context": old}),
    ]
    with store.transaction() as session:
        request = DecisionRequest(customer_id="c2", trigger=Trigger.PRICE_DROP)
        session.add_decisions(earlier, [request, request])
    with store.reading() as session:
        log = session.learning.read_log(since_us=0)

    assert log.messages["message_id"].tolist() == ["m1", "m2", "m3"]
    assert log.messages["language"].tolist() == ["kk", "", "ru"]
    assert log.messages["segment"].fillna("").tolist() == ["gold", "", ""]
    assert log.messages["p_variant"].tolist() == [0.5, 0.5, 0.5]
    np.testing.assert_array_equal(log.numbers, [[0.5, np.nan, 3.0, 1.0], *[[np.nan] * 4] * 2])


def test_take_step_learns_on_and_ends_where_learning_at_once_does(
    store: Store, files: LearnerFiles
) -> None:
    rebuilt = []
    for day in range(1, 11):
        now = START + day * DAY
        if day < 5:
            send(store, *((day * 10 + n, now - 3 * n * HOUR) for n in range(1, 6)))
            tell(store, (day * 10 + 1, Outcome.CONVERTED, now - HOUR))
        step = take_step(files, store, as_of=now, policy=POLICY)
        rebuilt.append(step.rebuilt)
        if day % 4 == 2:
            assert published(files) == from_the_beginning(store, now)

    assert step.learned.settled.n_messages == 20
    assert step.learned.served.version == 20
    assert rebuilt == [True] + [False] * 9


def test_take_step_publishes_only_what_is_new(store: Store, files: LearnerFiles) -> None:
    send(store, (1, START), (2, START))
    tell(store, (1, Outcome.CONVERTED, START + HOUR))

    first = take_step(files, store, as_of=START + 4 * DAY, policy=POLICY)
    again = take_step(files, store, as_of=START + 4 * DAY + HOUR, policy=POLICY)
    settled = take_step(files, store, as_of=SETTLED, policy=POLICY)

    assert (first.version, again.version, settled.version) == ("000001", None, "000002")
    assert files.versions.current() == "000002"


@pytest.mark.parametrize("what", ["outcome", "message", "history", "rule"])
def test_take_step_begins_anew_when_what_was_settled_does_not_hold(
    what: str, store: Store, files: LearnerFiles
) -> None:
    send(store, *((n, START) for n in range(4)))
    before = take_step(files, store, as_of=SETTLED, policy=POLICY).learned
    policy = POLICY
    if what == "outcome":
        tell(store, (1, Outcome.CONVERTED, START + HOUR))  # five days late
    elif what == "message":
        send(store, (9, START))
    elif what == "history":
        files.keep_history(what_tables_said(store, clicked="m1"))
    else:
        reward = POLICY.reward.model_copy(update={"window_days": 4})
        policy = POLICY.model_copy(update={"reward": reward})

    step = take_step(files, store, as_of=SETTLED + HOUR, policy=policy)
    after = take_step(files, store, as_of=SETTLED + 2 * HOUR, policy=policy)

    assert step.rebuilt
    assert step.version is not None
    assert not after.rebuilt
    assert after.version is None
    changes = step.learned.settled.bandit.to_json() != before.settled.bandit.to_json()
    assert changes == (what != "rule")
    if what == "rule":
        return
    history = files.load_history()[0]
    expected = learn_from_log(store, history, as_of=SETTLED + HOUR, policy=POLICY)
    assert step.learned.served.to_json() == expected.served.to_json()


def test_take_step_goes_on_where_tables_read_again_say_the_same(
    store: Store, files: LearnerFiles
) -> None:
    send(store, *((n, START) for n in range(4)), (8, START + 5 * DAY))
    files.keep_history(what_tables_said(store))
    take_step(files, store, as_of=SETTLED, policy=POLICY)
    files.keep_history(what_tables_said(store, clicked="m8"))  # a young one

    step = take_step(files, store, as_of=SETTLED + HOUR, policy=POLICY)
    after = take_step(files, store, as_of=SETTLED + 2 * HOUR, policy=POLICY)

    expected = learn_from_log(store, files.load_history()[0], as_of=SETTLED + HOUR, policy=POLICY)
    assert not step.rebuilt
    assert step.version is not None
    assert after.version is None
    assert step.learned.n_young[RewardState.SUCCESS] == 1
    assert step.learned.settled.bandit.to_json() == expected.settled.bandit.to_json()
    assert step.learned.served.to_json() == expected.served.to_json()


def test_take_step_knows_nothing_of_what_comes_after_its_moment(
    store: Store, files: LearnerFiles
) -> None:
    send(store, *((n, START + n * DAY) for n in range(4)))
    tell(store, (0, Outcome.CONVERTED, START + 2 * DAY))
    take_step(files, store, as_of=SETTLED, policy=POLICY)

    take_step(files, store, as_of=START + DAY, policy=POLICY)  # clocks go back

    assert published(files) == from_the_beginning(store, START + DAY)


def test_take_step_does_not_begin_anew_for_what_changes_nothing(
    store: Store, files: LearnerFiles
) -> None:
    send(store, *((n, START) for n in range(4)))
    take_step(files, store, as_of=SETTLED, policy=POLICY)
    tell(store, (1, Outcome.CONVERTED, START + 5 * DAY))  # after the window

    assert not take_step(files, store, as_of=SETTLED + HOUR, policy=POLICY).rebuilt


def test_take_step_counts_history_and_store_once(store: Store, files: LearnerFiles) -> None:
    send(store, *((n, START) for n in range(4)))
    with store.reading() as session:
        files.keep_history(session.learning.read_log(since_us=0))
    send(store, (4, START))

    step = take_step(files, store, as_of=SETTLED, policy=POLICY)

    assert step.learned.settled.n_messages == 5
    assert step.learned.n_young == dict.fromkeys(RewardState, 0)


def test_a_quick_click_is_a_persons_where_activity_of_its_reader_is_not_recorded(
    store: Store,
) -> None:
    """The tables tell what others did; of the readers of our messages they say nothing."""
    sent = record(1, START)
    text = sent.messages[0].model_copy(update={"channel": Channel.SMS})
    request = DecisionRequest(customer_id=sent.customer_id, trigger=sent.trigger)
    with store.transaction() as session:
        session.add_decisions(
            [sent.model_copy(update={"channels": (Channel.SMS,), "messages": (text,)})], [request]
        )
    tell(store, (1, Outcome.CLICKED, START + timedelta(seconds=30)))
    others = frame_of("activity", [("somebody else", 0, 0)])
    history = RewardLog.empty().with_activity(others)
    counts_clicks = POLICY.reward.model_copy(update={"marketing": RewardGoal.CLICK})
    policy = POLICY.model_copy(update={"reward": counts_clicks})

    learned = learn_from_log(store, history, as_of=START + 5 * HOUR, policy=policy)

    assert learned.n_young[RewardState.SUCCESS] == 1


def test_take_step_begins_anew_where_the_state_is_of_another_version(
    store: Store, files: LearnerFiles
) -> None:
    send(store, *((n, START) for n in range(4)))
    before = take_step(files, store, as_of=SETTLED, policy=POLICY)
    home = files.folder / str(before.version)
    for name, change in {"settled": {"layout": "other"}, "cursor": {"basis": "other"}}.items():
        path = home / f"{name}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))

    step = take_step(files, store, as_of=SETTLED, policy=POLICY)

    assert step.rebuilt
    assert published(files) == from_the_beginning(store, SETTLED)


def test_a_learner_works_alone(files: LearnerFiles) -> None:
    with (
        files.locked(),
        pytest.raises(ConflictError, match="another learner"),
        LearnerFiles(files.folder).locked(),
    ):
        pass
    with files.locked():
        pass


EVENTS: Sequence[tuple[int, Outcome, datetime]] = [
    (0, Outcome.CONVERTED, START + HOUR),
    (1, Outcome.UNSUBSCRIBED, START + DAY),
    (2, Outcome.CONVERTED, START + 2 * DAY),
    (3, Outcome.BOUNCED, START + HOUR),
    (6, Outcome.CONVERTED, START + 30 * HOUR),
    (7, Outcome.CONVERTED, START + 5 * DAY),
]


@hypothesis_settings(max_examples=6)  # each one opens a database
@given(
    order=st.permutations(range(len(EVENTS))),
    repeats=st.lists(st.integers(0, len(EVENTS) - 1), max_size=3),
    looks=st.lists(st.integers(0, 200), min_size=1, max_size=4).map(sorted),
)
def test_the_end_is_the_same_whenever_outcomes_come_and_whenever_one_looks(
    order: list[int],
    repeats: list[int],
    looks: list[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    home = tmp_path_factory.mktemp("learner")
    store, files = Store(home / "store.db"), LearnerFiles(home / "bandit")
    send(store, *((n, START + (n // 6) * DAY) for n in range(12)))
    for n, position in enumerate([*order, *repeats]):
        tell(store, EVENTS[position])
        if n < len(looks):
            take_step(files, store, as_of=START + looks[n] * HOUR, policy=POLICY)
    end = START + 9 * DAY
    step = take_step(files, store, as_of=end, policy=POLICY)
    found = published(files)
    in_order = Store(home / "other.db")
    send(in_order, *((n, START + (n // 6) * DAY) for n in range(12)))
    tell(in_order, *EVENTS)
    expected = from_the_beginning(in_order, end)
    store.close()
    in_order.close()

    assert step.learned.settled.n_messages == 12
    assert found == expected


class _ReadsWhatIsCommitted(Store):
    """Each question sees what is committed by then, as PostgreSQL answers unless told otherwise."""

    @contextmanager
    def reading(self) -> Iterator[StoreSession]:
        """No transaction of its own."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SELECT 1")
            connection.exec_driver_sql("COMMIT")
            yield StoreSession(connection)
            connection.exec_driver_sql("BEGIN")


def test_what_is_told_while_a_step_reads_is_learned_by_a_later_one(
    tmp_path: Path, files: LearnerFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = _ReadsWhatIsCommitted(tmp_path / "busy.db")
    send(store, *((n, START) for n in range(4)))
    take_step(files, store, as_of=SETTLED, policy=POLICY)
    find_settled = steps._find_settled

    def find_and_be_told(*args: Any, **more: Any) -> Settled:
        found = find_settled(*args, **more)
        tell(store, (1, Outcome.CONVERTED, START + HOUR))  # by a server, meanwhile
        return found

    send(store, (20, SETTLED - HOUR))
    with monkeypatch.context() as patched:
        patched.setattr(steps, "_find_settled", find_and_be_told)
        assert take_step(files, store, as_of=SETTLED + HOUR, policy=POLICY).version
    later = SETTLED + 11 * DAY
    assert take_step(files, store, as_of=later, policy=POLICY).rebuilt
    assert published(files) == from_the_beginning(store, later)
    store.close()
