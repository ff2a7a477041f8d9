import threading

from hypothesis import given
from hypothesis import strategies as st

from serving.copywriter.spending import Spending

USD = st.floats(0.01, 5.0)


def test_spending_holds_up_to_its_limit() -> None:
    spending = Spending(1.0)
    assert spending.hold(0.6)
    assert not spending.hold(0.6)

    spending.settle(0.6, spent=0.1)

    assert spending.hold(0.6)
    assert spending.spent_usd == 0.1


def test_spending_keeps_what_may_have_been_paid() -> None:
    spending = Spending(1.0)
    assert spending.hold(0.7)

    spending.lose(0.7)

    assert not spending.hold(0.5)
    assert (spending.spent_usd, spending.unaccounted_usd) == (0.0, 0.7)


@given(st.lists(st.tuples(USD, st.floats(0.0, 1.0), st.booleans()), max_size=60))
def test_spending_never_exceeds_its_limit(calls: list[tuple[float, float, bool]]) -> None:
    spending = Spending(7.0)
    for most, share, is_lost in calls:
        if not spending.hold(most):
            continue
        if is_lost:
            spending.lose(most)
        else:
            spending.settle(most, spent=share * most)
        assert spending.spent_usd + spending.unaccounted_usd <= 7.0 + 1e-9


def test_spending_holds_for_threads_together() -> None:
    spending, held = Spending(10.0), []

    def take() -> None:
        held.extend(spending.hold(0.1) for _ in range(50))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 99 <= sum(held) <= 100  # a tenth is not exact in binary
