from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from serving.copywriter.breaker import Breaker, Verdict

FAILED, WORKED = Verdict.FAILED, Verdict.WORKED


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def make(clock: Clock, *, failures: int = 3, window: int = 10, share: float = 0.5) -> Breaker:
    return Breaker(failures=failures, window=window, share=share, rest_seconds=60.0, clock=clock)


def tell(breaker: Breaker, *verdicts: Verdict) -> None:
    for verdict in verdicts:
        breaker.report(verdict)


def test_breaker_opens_after_failures_in_a_row() -> None:
    breaker = make(Clock())
    tell(breaker, FAILED, FAILED)
    assert breaker.lets_through()

    tell(breaker, FAILED)

    assert not breaker.lets_through()


def test_breaker_forgets_failures_when_one_worked() -> None:
    breaker = make(Clock())
    tell(breaker, FAILED, FAILED, WORKED, FAILED, FAILED)

    assert breaker.lets_through()


def test_breaker_opens_when_half_of_the_last_ones_failed() -> None:
    breaker = make(Clock(), failures=99)
    tell(breaker, *[FAILED, WORKED] * 4, WORKED)
    assert breaker.lets_through()  # nine of ten known

    tell(breaker, FAILED)

    assert not breaker.lets_through()


def test_breaker_lets_a_single_request_try_after_its_rest() -> None:
    clock = Clock()
    breaker = make(clock)
    tell(breaker, FAILED, FAILED, FAILED)
    clock.now = 59.9
    assert not breaker.lets_through()

    clock.now = 60.0

    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]


def test_breaker_closes_when_the_one_that_tried_worked() -> None:
    clock = Clock()
    breaker = make(clock, failures=99)
    tell(breaker, *[FAILED] * 10)
    clock.now = 60.0
    assert breaker.lets_through()

    tell(breaker, WORKED)

    assert [breaker.lets_through() for _ in range(3)] == [True, True, True]
    tell(breaker, FAILED)  # the bad window is forgotten: one failure is no relapse
    assert breaker.lets_through()


def test_breaker_rests_again_when_the_one_that_tried_failed() -> None:
    clock = Clock()
    breaker = make(clock)
    tell(breaker, FAILED, FAILED, FAILED)
    clock.now = 100.0
    assert breaker.lets_through()

    tell(breaker, FAILED)

    clock.now = 159.0
    assert not breaker.lets_through()
    clock.now = 160.0
    assert breaker.lets_through()


def test_breaker_does_not_wait_for_ever_for_one_that_never_reports() -> None:
    clock = Clock()
    breaker = make(clock)
    tell(breaker, FAILED, FAILED, FAILED)
    clock.now = 60.0
    assert breaker.lets_through()
    tell(breaker, Verdict.UNKNOWN)
    assert not breaker.lets_through()

    clock.now = 120.0

    assert breaker.lets_through()


@given(st.lists(st.sampled_from([FAILED, WORKED]), max_size=40))
def test_breaker_is_never_open_right_after_one_that_worked(verdicts: list[Verdict]) -> None:
    """Of those that were let through, as long as the share is not reached either."""
    breaker = make(Clock(), share=1.0)
    for verdict in verdicts:
        if not breaker.lets_through():
            break
        breaker.report(verdict)
        if verdict is WORKED:
            assert breaker.lets_through()
