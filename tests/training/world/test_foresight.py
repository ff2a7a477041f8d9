import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.world.foresight import likelihood
from training.world.foresight.shown import Answers, Invoices, Tickets

ONE = np.array([0])


def make_tickets(resolved: float, *, escalated: bool) -> Tickets:
    return Tickets(ONE, ONE, np.array([0.0]), np.array([resolved]), np.array([escalated]))


@given(st.floats(0.3, 4.2), st.booleans())
def test_a_ticket_is_open_or_resolved(age: float, escalated: bool) -> None:
    """Of a usual ticket, P(open at an age) falls by the density of being resolved just then."""
    step = 1e-3
    now, soon = (
        likelihood.of_tickets(make_tickets(np.inf, escalated=escalated), as_of=at)
        for at in (age, age + step)
    )
    resolved = likelihood.of_tickets(make_tickets(age + step / 2, escalated=escalated), as_of=60.0)
    content = likelihood.CONTENT
    border = 0.3 + 4.0 * 0.9
    if abs(age - border) > 0.01:
        np.testing.assert_allclose(now[0, content] - soon[0, content], resolved[0, content] * step)


def test_a_ticket_that_stays_open_for_long_tells_that_the_customer_turned_that_day() -> None:
    long = likelihood.of_tickets(make_tickets(np.inf, escalated=False), as_of=6.0)[0]
    assert long[likelihood.JUST_TURNED] > 0.0
    assert (np.delete(long, likelihood.JUST_TURNED) == 0.0).all()


def test_visits_and_their_absence_are_all_that_a_day_may_bring() -> None:
    usual = np.array([[0.3, 0.3]])
    possible = likelihood.of_visits(np.array([9.0, np.nan]), usual=usual)[0]
    came, stayed_away = possible
    np.testing.assert_allclose((came + stayed_away)[:5], 1.0)  # so long a session fits these moods
    short = likelihood.of_visits(np.array([3.0]), usual=usual[:, :1])[0, 0]
    assert short[likelihood.CONTENT] == 0.0
    assert short[-1] > 0.0


@given(st.floats(0.6, 13.9))
def test_an_invoice_that_is_not_due_tells_little_and_a_late_one_much(age: float) -> None:
    p_late = np.array([[0.05]])
    unpaid, late = (
        likelihood.of_invoices(
            Invoices(ONE, ONE, np.array([0.0]), np.array([np.inf]), np.array([False])),
            p_late=p_late,
            as_of=as_of,
        )[0, 0]
        for as_of in (age, 15.0)
    )
    ratios = [row[-1] / row[likelihood.CONTENT] for row in (unpaid, late)]
    assert ratios[0] <= ratios[1] + 1e-9
    assert ratios[1] > 7.0


def test_answers_of_all_grades_add_up_to_one() -> None:
    nps = np.arange(11.0)
    who = np.zeros(11, dtype=np.int64)
    likelihoods = likelihood.of_answers(Answers(who, who, nps))
    np.testing.assert_allclose(likelihoods.sum(axis=0), 1.0)
    assert likelihoods[10, likelihood.CONTENT] > likelihoods[10, -1]
    assert likelihoods[3, likelihood.CONTENT] < likelihoods[3, -1]
