from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.rewards import (
    RewardGoal,
    RewardLog,
    RewardRule,
    RewardState,
    Trials,
    join_logs,
    judge_messages,
    judge_outcomes,
)
from training.bandit.rewards.log import frame_of

SECOND, MINUTE, HOUR = 1_000_000, 60_000_000, 3_600_000_000
DAY = 24 * HOUR
SENT = 20_000 * DAY + 12 * HOUR
RULE = RewardRule(window_days=3)
PURPOSE = RewardRule(window_days=3, marketing=RewardGoal.CONVERSION, service=RewardGoal.NO_CALL)
LATER = SENT + 10 * DAY
Row = tuple[object, ...]


def message(message_id: str = "m", *, channel: str = "email", at: int = SENT) -> Row:
    return (message_id, "c", "price_drop", channel, "a", "en", None, 0.5, at)


def outcome(kind: str, after: int, *, of: str = "m", machine: bool = False) -> Row:
    return (of, kind, SENT + after, machine)


def make_log(
    messages: Sequence[Row],
    outcomes: Sequence[Row] = (),
    departures: Sequence[Row] = (),
    activity: Sequence[Row] | None = (),
) -> RewardLog:
    return RewardLog(
        frame_of("messages", messages),
        np.zeros((len(messages), 0)),
        frame_of("outcomes", outcomes),
        frame_of("departures", departures),
        None if activity is None else frame_of("activity", activity),
    )


def judge(log: RewardLog, *, as_of_us: int = LATER) -> tuple[RewardState, int]:
    trials = judge_messages(log, rule=RULE, as_of_us=as_of_us)
    return trials.states[0], int(trials.watched_us[0])


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], (RewardState.FAILURE, 3 * DAY)),
        ([outcome("clicked", 2 * HOUR)], (RewardState.SUCCESS, 2 * HOUR)),
        ([outcome("converted", 71 * HOUR)], (RewardState.SUCCESS, 71 * HOUR)),
        ([outcome("clicked", 3 * DAY)], (RewardState.FAILURE, 3 * DAY)),
        ([outcome("opened", HOUR)], (RewardState.FAILURE, 3 * DAY)),
        ([outcome("clicked", HOUR, machine=True)], (RewardState.FAILURE, 3 * DAY)),
        (
            [outcome("clicked", 9), outcome("clicked", 9, machine=True)],
            (RewardState.FAILURE, 3 * DAY),
        ),
        ([outcome("unsubscribed", HOUR)], (RewardState.FAILURE, 3 * DAY)),
        ([outcome("unsubscribed", HOUR), outcome("converted", DAY)], (RewardState.SUCCESS, DAY)),
        ([outcome("bounced", 5 * SECOND)], (RewardState.CENSORED, 5 * SECOND)),
        ([outcome("clicked", -HOUR)], (RewardState.FAILURE, 3 * DAY)),
    ],
    ids=[
        *("silence", "click", "conversion", "after the window", "open", "machine"),
        *("called a machine later", "refusal", "refusal, then conversion", "bounce", "before"),
    ],
)
def test_judge_messages_of_a_closed_window(
    outcomes: list[Row], expected: tuple[RewardState, int]
) -> None:
    assert judge(make_log([message()], outcomes)) == expected


def test_judge_messages_is_pending_while_the_window_is_open() -> None:
    log = make_log([message()], [outcome("clicked", 2 * HOUR)])

    assert judge(log, as_of_us=SENT + HOUR) == (RewardState.PENDING, HOUR)
    assert judge(log, as_of_us=SENT + 3 * HOUR) == (RewardState.SUCCESS, 2 * HOUR)
    assert len(judge_messages(log, rule=RULE, as_of_us=SENT)) == 0


@pytest.mark.parametrize(
    ("departure", "expected"),
    [
        (("c", None, None, SENT + DAY, SENT + DAY), (RewardState.CENSORED, DAY)),
        (("c", "email", "other", SENT + DAY, SENT + DAY), (RewardState.CENSORED, DAY)),
        (("c", "sms", "other", SENT + DAY, SENT + DAY), (RewardState.FAILURE, 3 * DAY)),
        (("c", "email", "m", SENT + DAY, SENT + DAY), (RewardState.FAILURE, 3 * DAY)),
        (("c", None, None, SENT - DAY, SENT - DAY), (RewardState.FAILURE, 3 * DAY)),
        (("c", None, None, SENT + 4 * DAY, SENT), (RewardState.FAILURE, 3 * DAY)),
        (("c", None, None, SENT + DAY, SENT + 9 * DAY), (RewardState.FAILURE, 3 * DAY)),
        (("d", None, None, SENT + DAY, SENT + DAY), (RewardState.FAILURE, 3 * DAY)),
    ],
    ids=[
        *("left", "withdrew elsewhere", "another channel", "by this message"),
        *("long before", "after the window", "told after settling", "somebody else"),
    ],
)
def test_judge_messages_censors_whoever_left(
    departure: Row, expected: tuple[RewardState, int]
) -> None:
    assert judge(make_log([message()], departures=[departure])) == expected


@pytest.mark.parametrize(
    ("trigger", "outcomes", "departures", "expected"),
    [
        ("price_drop", [outcome("clicked", HOUR)], [], (RewardState.FAILURE, 3 * DAY)),
        (
            "price_drop",
            [outcome("clicked", HOUR), outcome("converted", DAY)],
            [],
            (RewardState.SUCCESS, DAY),
        ),
        ("delivery_delay", [], [], (RewardState.SUCCESS, 3 * DAY)),
        ("delivery_delay", [outcome("clicked", HOUR)], [], (RewardState.SUCCESS, 3 * DAY)),
        (
            "delivery_delay",
            [outcome("contacted_support", DAY)],
            [],
            (RewardState.FAILURE, 3 * DAY),
        ),
        (
            "delivery_delay",
            [outcome("contacted_support", 4 * DAY)],
            [],
            (RewardState.SUCCESS, 3 * DAY),
        ),
        ("delivery_delay", [outcome("complained", DAY)], [], (RewardState.FAILURE, 3 * DAY)),
        ("delivery_delay", [outcome("bounced", HOUR)], [], (RewardState.CENSORED, HOUR)),
        (
            "delivery_delay",
            [outcome("contacted_support", HOUR)],
            [("c", None, None, SENT + DAY, SENT + DAY)],
            (RewardState.FAILURE, 3 * DAY),
        ),
        (
            "delivery_delay",
            [outcome("contacted_support", 2 * DAY)],
            [("c", None, None, SENT + DAY, SENT + DAY)],
            (RewardState.CENSORED, DAY),
        ),
    ],
    ids=[
        *("click", "conversion", "no call", "click, no call", "call", "late call", "complaint"),
        *("bounce", "call, then left", "left, then call"),
    ],
)
def test_judge_messages_by_what_they_are_sent_for(
    trigger: str, outcomes: list[Row], departures: list[Row], expected: tuple[RewardState, int]
) -> None:
    sent = ("m", "c", trigger, "email", "a", "en", None, 0.5, SENT)
    log = make_log([sent], outcomes, departures)

    trials = judge_messages(log, rule=PURPOSE, as_of_us=LATER)

    assert (trials.states[0], int(trials.watched_us[0])) == expected
    assert trials.is_told_at_end.tolist() == [trigger == "delivery_delay"]


def test_judge_messages_tells_of_a_call_no_sooner_than_of_none() -> None:
    sent = ("m", "c", "delivery_delay", "email", "a", "en", None, 0.5, SENT)
    log = make_log([sent], [outcome("contacted_support", HOUR)])

    young = judge_messages(log, rule=PURPOSE, as_of_us=SENT + 2 * DAY)

    assert young.states == (RewardState.PENDING,)
    assert young.watched_us.tolist() == [2 * DAY]


SCAN = [outcome("delivered", 5 * SECOND), *(outcome("clicked", s * SECOND) for s in (9, 10, 11))]


def test_judge_outcomes_finds_a_scanner_only_if_nobody_follows() -> None:
    bought = [("c", SENT + MINUTE, SENT + MINUTE)]

    scanned = judge_outcomes(make_log([message()], SCAN), rule=RULE, as_of_us=LATER)
    followed = judge_outcomes(make_log([message()], SCAN, (), bought), rule=RULE, as_of_us=LATER)
    too_early = judge_outcomes(make_log([message()], SCAN), rule=RULE, as_of_us=SENT + MINUTE)

    assert Counter(scanned) == {"counted": 1, "machine": 3}
    assert Counter(followed) == {"counted": 4}
    assert Counter(too_early) == {"counted": 1, "unsure": 3}


def test_judge_messages_waits_until_a_burst_is_understood() -> None:
    log = make_log([message()], SCAN)

    assert judge(log, as_of_us=SENT + MINUTE) == (RewardState.PENDING, 9 * SECOND)
    assert judge(log, as_of_us=SENT + HOUR) == (RewardState.PENDING, HOUR)
    assert judge(log) == (RewardState.FAILURE, 3 * DAY)


def test_judge_messages_believes_a_click_after_a_scan() -> None:
    log = make_log([message()], [*SCAN, outcome("clicked", 2 * HOUR)])

    assert judge(log) == (RewardState.SUCCESS, 2 * HOUR)


def test_judge_messages_takes_one_quick_click_for_a_persons_where_nobody_records_activity() -> None:
    click = [outcome("clicked", 5 * SECOND)]
    sms = [message(channel="sms")]

    assert judge(make_log(sms, click, activity=None))[0] is RewardState.SUCCESS
    assert judge(make_log(sms, click))[0] is RewardState.FAILURE
    assert judge(make_log([message()], click))[0] is RewardState.SUCCESS  # not all of its links


def test_judge_outcomes_tells_a_proxy_from_a_reader() -> None:
    log = make_log([message()], [outcome("opened", SECOND), outcome("opened", HOUR)])

    assert judge_outcomes(log, rule=RULE, as_of_us=LATER).tolist() == ["machine", "counted"]


def test_judge_outcomes_gives_every_outcome_a_role() -> None:
    outcomes = [
        outcome("clicked", HOUR),
        outcome("clicked", HOUR),
        outcome("clicked", 4 * DAY),
        outcome("clicked", 20 * DAY),
        outcome("clicked", -1),
        outcome("clicked", HOUR, of="nobody's"),
        outcome("opened", HOUR, machine=True),
    ]
    roles = judge_outcomes(make_log([message()], outcomes), rule=RULE, as_of_us=LATER)

    assert roles.tolist() == [
        *("counted", "duplicate", "late", "to_come", "before_message", "unknown_message"),
        "machine",
    ]


KINDS = ("delivered", "bounced", "opened", "clicked", "converted", "unsubscribed")
outcome_rows = st.tuples(
    st.sampled_from(["m0", "m1", "m2", "other"]),
    st.sampled_from(KINDS),
    st.sampled_from([-HOUR, SECOND, 6 * SECOND, 7 * SECOND, MINUTE, 30 * HOUR, 4 * DAY]).map(
        lambda after: SENT + after
    ),
    st.booleans(),
)


def same(one: Trials, two: Trials) -> bool:
    return (
        one.message_ids == two.message_ids
        and one.states == two.states
        and one.watched_us.tolist() == two.watched_us.tolist()
    )


@hypothesis_settings(max_examples=30)  # each one joins frames
@given(
    outcomes=st.lists(outcome_rows, max_size=12),
    again=st.lists(st.integers(0, 11), max_size=6),
    as_of=st.sampled_from([SENT + 10 * SECOND, SENT + HOUR, SENT + 2 * DAY, LATER]),
    data=st.data(),
)
def test_judge_messages_is_a_function_of_the_set_of_outcomes(
    outcomes: list[Row], again: list[int], as_of: int, data: st.DataObject
) -> None:
    messages = [message(f"m{n}", channel=("email", "sms")[n % 2]) for n in range(3)]
    left = [("c", "email", row[0], row[2], row[2]) for row in outcomes if row[1] == KINDS[-1]]
    told = [*outcomes, *(outcomes[n] for n in again if n < len(outcomes))]
    shuffled = data.draw(st.permutations(told))
    mixed = data.draw(st.permutations(messages))

    once = judge_messages(make_log(messages, outcomes, left), rule=RULE, as_of_us=as_of)
    twice = judge_messages(make_log(mixed, shuffled, left * 2), rule=RULE, as_of_us=as_of)

    assert same(once, twice)


@hypothesis_settings(max_examples=30)  # each one joins frames
@given(outcomes=st.lists(outcome_rows, max_size=12), cut=st.integers(0, 12))
def test_join_logs_is_the_log_that_was_cut_in_two(outcomes: list[Row], cut: int) -> None:
    messages = [message(f"m{n}") for n in range(3)]
    whole = judge_messages(make_log(messages, outcomes), rule=RULE, as_of_us=LATER)
    joined = join_logs(
        make_log(messages[:2], outcomes[:cut]), make_log(messages[1:], outcomes[cut:])
    )

    assert same(judge_messages(joined, rule=RULE, as_of_us=LATER), whole)


def test_join_logs_prefers_the_first_and_keeps_contexts_apart() -> None:
    ours = RewardLog(
        frame_of("messages", [message("m1")]),
        np.array([[1.0, 2.0]]),
        *(frame_of(name) for name in ("outcomes", "departures")),
        activity=None,
    )
    theirs = make_log([message("m1", channel="sms"), message("m2")], activity=None)

    joined = join_logs(ours, theirs)

    assert joined.messages["channel"].tolist() == ["email", "email"]
    np.testing.assert_array_equal(joined.numbers, [[1.0, 2.0], [np.nan, np.nan]])


def test_trials_say_where_variants_compete_in_order_of_sending() -> None:
    log = make_log([message("m2", at=SENT + 1), message("m1", at=SENT + 1), message("m3")])

    trials = judge_messages(log, rule=RULE, as_of_us=LATER)

    assert trials.message_ids == ("m3", "m1", "m2")
    assert (trials.triggers[0], trials.channels[0]) == (Trigger.PRICE_DROP, Channel.EMAIL)
    assert trials.is_matured.all()
    assert trials.take(trials.sent_at_us > SENT).message_ids == ("m1", "m2")


def test_reward_log_names_everything_that_is_missing() -> None:
    with pytest.raises(BadInputError, match=r"outcomes lack machine.*contexts of 2"):
        RewardLog(
            frame_of("messages"),
            np.zeros((2, 0)),
            pd.DataFrame(columns=["message_id", "outcome", "at_us"]),
            frame_of("departures"),
            None,
        )
