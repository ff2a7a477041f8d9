import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from serving.copywriter.deadlines import Backoff, Deadline, read_retry_after

BACKOFF = Backoff(first=0.5, longest=20.0)


def test_deadline_counts_down_to_nothing_and_no_further() -> None:
    now = 100.0
    deadline = Deadline.after(5.0, clock=lambda: now)
    assert deadline.remaining == 5.0

    now = 104.0
    assert deadline.remaining == 1.0
    now = 500.0
    assert deadline.remaining == 0.0


def test_deadline_of_a_negative_time_is_over() -> None:
    assert Deadline.after(-3.0, clock=lambda: 7.0).remaining == 0.0


def test_backoff_doubles_within_its_jitter() -> None:
    rng = np.random.default_rng(1)
    for n_failed, whole in [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (9, 20.0), (5_000, 20.0)]:
        waits = [BACKOFF.wait(n_failed, asked=None, rng=rng) for _ in range(200)]
        assert whole / 2 <= min(waits) < 0.55 * whole
        assert 0.95 * whole < max(waits) <= whole


@given(
    n_failed=st.integers(1, 10_000),
    asked=st.one_of(st.none(), st.floats(0, 1e9)),
    seed=st.integers(0, 1_000),
)
def test_backoff_never_waits_longer_than_its_longest(
    n_failed: int, asked: float | None, seed: int
) -> None:
    wait = BACKOFF.wait(n_failed, asked=asked, rng=np.random.default_rng(seed))

    assert 0 < wait <= BACKOFF.longest


def test_backoff_waits_as_long_as_the_server_asks_when_that_is_short() -> None:
    rng = np.random.default_rng(2)

    assert BACKOFF.wait(1, asked=7.0, rng=rng) == 7.0
    assert BACKOFF.wait(1, asked=3_600.0, rng=rng) == 20.0
    assert BACKOFF.wait(1, asked=0.0, rng=rng) >= 0.25  # zero would be a storm


def test_read_retry_after_takes_no_nonsense() -> None:
    for text in (None, "", "soon", "inf", "nan", "1e999", "Sun, 99 Nov 2026 12:01:00 GMT"):
        assert read_retry_after(text) is None
    # A date counts from the server's clock, and from nothing without it.
    assert read_retry_after("Sun, 22 Nov 2026 12:01:00 GMT") is None
