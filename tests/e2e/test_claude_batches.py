"""Batches: the real SDK against the stand-in, and every way in which one can end."""

import time
from collections.abc import Callable, Iterator

import pytest

from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Failure, Prompt, Reply, WriterOutcome
from tests.e2e.greetings import (
    PROMPT,
    SLACK,
    Greeting,
    claude,
    must_answer,
    must_fail,
)
from tests.standin.app import Standin
from tests.standin.steps import Kind, Step

pytestmark = pytest.mark.e2e

MANY = {f"клетка {n}": PROMPT for n in range(7)}


def ignore(batch_id: str) -> None:
    """For tests that do not come back to a batch."""


@pytest.fixture
def ask_many(standin: Standin) -> Iterator[Callable[..., dict[str, Reply[Greeting] | Failure]]]:
    with claude(standin.settings()) as asker:

        def ask(seconds: float = 5.0, **changes: object) -> dict[str, Reply[Greeting] | Failure]:
            began = time.perf_counter()
            got = asker.ask_in_batch(MANY, deadline_seconds=seconds, tell=ignore)
            assert time.perf_counter() - began < seconds + SLACK
            return dict(got)

        yield ask


def test_batch_answers_come_back_to_their_questions(standin: Standin) -> None:
    standin.batch_polls = 3
    standin.answer_with(lambda body: {"tone": "clear", "lines": [body["messages"][0]["content"]]})
    asked = {
        f"ключ {n}": Prompt("greeting/1", "s" * 4_000, f"Number {n}", Greeting) for n in range(20)
    }
    told: list[str] = []
    with claude(standin.settings()) as asker:
        got = asker.ask_in_batch(asked, deadline_seconds=10, tell=told.append)

    lines = {key: must_answer(reply).value.lines for key, reply in got.items()}
    assert lines == {f"ключ {n}": [f"Number {n}"] for n in range(20)}
    assert len(told) == standin.n_requests("batches") == 1
    one = must_answer(got["ключ 5"]).usage
    full = load_prices().cost(one, model="claude-sonnet-5-5")
    assert one.cost_usd == pytest.approx(full / 2)
    assert asker.spending.spent_usd == pytest.approx(
        sum(reply.usage.cost_usd for reply in got.values())
    )


def test_every_item_of_a_batch_ends_in_its_outcome(
    standin: Standin, ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]]
) -> None:
    standin.script(
        Step.ok(),
        Step(Kind.ERRORED, error="overloaded_error"),
        Step(Kind.ERRORED, error="invalid_request_error"),
        Step.of(Kind.EXPIRED),
        Step.refusal(),
        Step.of(Kind.MALFORMED),
        Step.of(Kind.THINKING_ONLY),
        on="items",
    )

    got = ask_many()

    outcomes = [getattr(got[key], "outcome", WriterOutcome.OK) for key in MANY]
    assert outcomes == [
        WriterOutcome.OK,
        WriterOutcome.OVERLOADED,
        WriterOutcome.REJECTED,
        WriterOutcome.EXPIRED,
        WriterOutcome.REFUSED,
        WriterOutcome.MALFORMED,
        WriterOutcome.CUT_OFF,
    ]
    paid = [got[key].usage.cost_usd > 0 for key in MANY]
    assert paid == [True, False, False, False, True, True, True]


def test_batch_that_does_not_end_is_canceled_and_what_is_there_is_taken(
    standin: Standin, ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]]
) -> None:
    standin.batch_polls = 10**6
    standin.script(Step.of(Kind.MALFORMED), Step.refusal(), on="items")

    got = ask_many(0.8)

    outcomes = [getattr(got[key], "outcome", WriterOutcome.OK) for key in MANY]
    assert outcomes[:2] == [WriterOutcome.MALFORMED, WriterOutcome.REFUSED]
    assert set(outcomes[2:]) == {WriterOutcome.CANCELED}
    assert standin.n_requests("cancel") == 1


@pytest.mark.parametrize("on", ["poll", "results"])
@pytest.mark.parametrize(
    "step",
    [Step.server_error(), Step.of(Kind.HTML), Step.of(Kind.DROP)],
    ids=["500", "html", "drop"],
)
def test_batch_survives_failures_on_the_way(
    on: str,
    step: Step,
    standin: Standin,
    ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]],
) -> None:
    standin.script(step, step, on=on)

    assert all(isinstance(reply, Reply) for reply in ask_many().values())


@pytest.mark.parametrize(
    ("on", "step", "outcome"),
    [
        ("batches", Step.unauthorized(), WriterOutcome.REJECTED),
        ("batches", Step.overloaded(), WriterOutcome.OVERLOADED),
        ("batches", Step.rate_limited("3600"), WriterOutcome.RATE_LIMITED),
        ("batches", Step.hang(), WriterOutcome.TIMED_OUT),
        ("batches", Step.of(Kind.DROP), WriterOutcome.UNREACHABLE),
        ("batches", Step.of(Kind.OTHER_JSON), WriterOutcome.MALFORMED),
        ("poll", Step.unauthorized(), WriterOutcome.REJECTED),
        ("poll", Step.hang(), WriterOutcome.TIMED_OUT),
        ("results", Step.hang(), WriterOutcome.TIMED_OUT),
        ("results", Step.of(Kind.BROKEN_BODY), WriterOutcome.MALFORMED),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "kind", None),
)
def test_batch_that_fails_as_a_whole_fails_every_question_in_time(
    on: str,
    step: Step,
    outcome: WriterOutcome,
    standin: Standin,
    ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]],
) -> None:
    standin.script(step, forever=True, on=on)

    is_told_at_once = outcome is not WriterOutcome.TIMED_OUT and on != "results"
    got = ask_many(5.0 if is_told_at_once else 0.8)

    assert {must_fail(reply).outcome for reply in got.values()} == {outcome}
    # What may have been made is not made twice: it would be paid twice.
    if step.kind in {Kind.HANG, Kind.DROP, Kind.OTHER_JSON}:
        assert standin.n_requests("batches") == 1


def test_batch_of_a_process_that_died_is_collected(standin: Standin) -> None:
    standin.batch_polls = 5

    class DiedError(Exception):
        pass

    told: list[str] = []

    def die(batch_id: str) -> None:
        told.append(batch_id)
        raise DiedError

    with claude(standin.settings()) as asker, pytest.raises(DiedError):
        asker.ask_in_batch(MANY, deadline_seconds=5, tell=die)
    with claude(standin.settings()) as asker:
        got = asker.collect_batch(told[0], MANY, deadline_seconds=5)
        other = asker.collect_batch(told[0], {"another": PROMPT}, deadline_seconds=5)
        none = asker.collect_batch("msgbatch_none", MANY, deadline_seconds=5)

    assert all(isinstance(reply, Reply) for reply in got.values())
    assert standin.n_requests("batches") == 1
    assert must_fail(other["another"]).outcome is WriterOutcome.MALFORMED
    assert {must_fail(reply).outcome for reply in none.values()} == {WriterOutcome.REJECTED}


def test_batches_go_in_waves_within_the_limit(standin: Standin) -> None:
    """At worst a question costs several times what it does: the rest bears the next ones."""
    asked = {str(n): PROMPT for n in range(30)}
    with claude(standin.settings(max_usd=0.1)) as asker:
        got = asker.ask_in_batch(asked, deadline_seconds=10)

    outcomes = [getattr(reply, "outcome", WriterOutcome.OK) for reply in got.values()]
    assert set(outcomes) == {WriterOutcome.OK}
    assert standin.n_requests("batches") > 1
    assert 0 < asker.spending.spent_usd <= 0.1


def test_batch_beyond_the_limit_is_not_made(standin: Standin) -> None:
    with claude(standin.settings(max_usd=0.001)) as asker:
        got = asker.ask_in_batch(MANY, deadline_seconds=5)

    assert {must_fail(reply).outcome for reply in got.values()} == {WriterOutcome.OVER_BUDGET}
    assert standin.asked == []


def test_batch_of_nothing_is_nothing(standin: Standin) -> None:
    with claude(standin.settings()) as asker:
        assert asker.ask_in_batch({}, deadline_seconds=5) == {}
    assert standin.asked == []
