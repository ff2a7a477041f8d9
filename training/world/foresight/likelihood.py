"""P(what a day showed | mood), from the probabilities that the world draws from.

Moods are told apart by how long ago the customer turned, for that decides about visits: state 0 is
content, state 1 + d dissatisfied for d whole days, and the last one for so long that visits decline
no further. Everything is as known at a moment: a ticket that is still open may yet turn out to be
one of the long ones, an invoice that is not due may yet be paid late.
"""

from typing import Final

import numpy as np
from scipy.special import ndtr

from training.world.clock import Flags, Floats
from training.world.foresight.shown import Answers, Invoices, Tickets
from training.world.life.accounts import (
    DUE_DAYS,
    NPS,
    P_DISPUTED,
    P_LATE_DISSATISFIED,
    P_SHOWS_TICKET,
    P_TICKET,
    PAID_DAYS,
    USUAL_TICKET,
    WORSE_TICKET,
    TicketCourse,
)
from training.world.life.visits import (
    MOST_P_VISIT,
    SESSION_MINUTES,
    SESSION_SPREAD,
    decline,
    keenness,
)

_DECLINES_DAYS: Final = 24  # then `decline` has come to its least
CONTENT: Final = 0
JUST_TURNED: Final = 1
N_STATES: Final = 1 + _DECLINES_DAYS

EAGERNESS: Final = np.concatenate([[1.0], decline(np.arange(_DECLINES_DAYS))])

_DISSATISFIED: Final = np.arange(N_STATES) != CONTENT
_P_TICKET: Final = np.where(_DISSATISFIED, P_TICKET[1], P_TICKET[0])
_P_DISPUTED: Final = np.where(_DISSATISFIED, P_DISPUTED[1], P_DISPUTED[0])
_SHOWS: Final = np.where(np.arange(N_STATES) == JUST_TURNED, P_SHOWS_TICKET, 0.0)
_ROUNDED: Final = 0.0501  # minutes are written with one digit


def of_visits(minutes: Floats, *, usual: Floats) -> Floats:
    """Of the day's session or its absence, (habits, n, N_STATES).

    Args:
        minutes: Length of the session, (n,); NaN where there was none.
        usual: Chance of a visit on that day while content, (habits, n).
    """
    p = np.minimum(usual[:, :, None] * EAGERNESS, MOST_P_VISIT)
    keen = SESSION_MINUTES * keenness(EAGERNESS)
    half = np.exp(SESSION_SPREAD / 2.0)
    length = np.nan_to_num(minutes)[:, None]
    # Lengths are spread evenly in the logarithm, as wide in every mood: possible or not is all.
    possible = (length >= keen / half - _ROUNDED) & (length <= keen * half + _ROUNDED)
    came = ~np.isnan(minutes)[:, None]
    likelihood: Floats = np.where(came, p * possible, 1.0 - p)
    return likelihood


def of_no_ticket() -> Floats:
    """Of a day without a ticket, (N_STATES,)."""
    quiet: Floats = (1.0 - _P_TICKET) * (1.0 - _SHOWS)
    return quiet


def of_tickets(tickets: Tickets, *, as_of: float) -> Floats:
    """Of each ticket, (m, N_STATES); of two at once, the usual one counts alone."""
    is_open = tickets.resolved >= as_of
    lasted = np.where(is_open, as_of, tickets.resolved) - tickets.opened
    usual = _p_course(USUAL_TICKET, lasted, tickets.escalated, is_open)
    worse = _p_course(WORSE_TICKET, lasted, tickets.escalated, is_open)
    likelihood: Floats = usual[:, None] * _P_TICKET + worse[:, None] * _SHOWS
    return likelihood


def of_invoices(invoices: Invoices, *, p_late: Floats, as_of: float) -> Floats:
    """Of each invoice, (habits, m, N_STATES).

    Args:
        invoices: The invoices.
        p_late: Share of their invoices that content customers pay late, (habits, m).
        as_of: What is known when.
    """
    late = np.where(_DISSATISFIED, P_LATE_DISSATISFIED, p_late[:, :, None])
    is_open = invoices.paid >= as_of
    age = np.where(is_open, as_of, invoices.paid) - invoices.issued
    in_time = ~is_open & (age <= DUE_DAYS)
    yet_to_pay = np.clip(1.0 - (age - PAID_DAYS[0]) / PAID_DAYS[1], 0.0, 1.0)
    yet_to_pay = np.where(is_open, yet_to_pay, 0.0)[:, None]
    paid = np.where(in_time[:, None], 1.0 - late, late + (1.0 - late) * yet_to_pay)
    disputed = np.where(invoices.disputed[:, None], _P_DISPUTED, 1.0 - _P_DISPUTED)
    likelihood: Floats = paid * disputed
    return likelihood


def of_answers(answers: Answers) -> Floats:
    """Of each answer to a survey, (m, N_STATES)."""
    above = np.where(answers.nps >= 10, np.inf, answers.nps + 0.5)
    below = np.where(answers.nps <= 0, -np.inf, answers.nps - 0.5)
    content, dissatisfied = (
        ndtr((above - mean) / sd) - ndtr((below - mean) / sd) for mean, sd in NPS
    )
    return np.where(_DISSATISFIED, dissatisfied[:, None], content[:, None])


def _p_course(course: TicketCourse, lasted: Floats, escalated: Flags, is_open: Flags) -> Floats:
    """P(a ticket of this course goes so far, escalated or not), density where it is resolved."""
    share = (lasted - course.least_days) / course.span_days
    border = 1.0 - course.p_escalated
    lasts = np.clip(share, 0.0, 1.0)
    yet = np.where(escalated, 1.0 - np.maximum(lasts, border), np.maximum(border - lasts, 0.0))
    slack = 1e-4  # moments are whole seconds
    fits = (share > -slack) & (share < 1.0 + slack) & (escalated == (share > border))
    near = np.abs(share - border) < slack
    p: Floats = np.where(is_open, yet, (fits | near) / course.span_days)
    return p
