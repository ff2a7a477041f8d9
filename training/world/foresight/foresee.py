"""P(lost within 30 days | all that a customer has shown), by Bayes' rule over moods and tempers.

A customer's mood is a hidden Markov chain, and what it moves by (how readily they turn, leave,
recover, come and pay) is hidden as well. For each of a grid of such tempers the forward algorithm
(Rabiner 1989) keeps the probability of every mood given what was shown; the tempers are weighed by
their prior, as customers of the segment are drawn, and by how well they explain what was shown.

No function of the tables can rank or foretell better, but for what is left out: what messages do to
moods (they turn or win back one customer in some thousands a day), and the grid's coarseness.
"""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.tables import Tables
from training.world.clock import Floats, Ints, day_of, to_micros
from training.world.foresight import likelihood
from training.world.foresight.shown import Shown, read_shown
from training.world.foresight.tempers import Tempers, make_grid
from training.world.life.visits import hours_of_day
from training.world.people.moods import HORIZON_DAYS
from training.world.people.population import Population

_UNSETTLED_DAYS = 15
"""What older days have shown is settled: tickets are known for what they are, bills are due."""
_SETTLED = np.inf
_CHUNK = 128


def foresee_lost(
    people: Population, tables: Tables, *, customer_ids: list[str], moments: list[datetime]
) -> Floats:
    """P(lost within 30 days) of each customer at each moment, (n, moments).

    Of customers who had not signed up, or had left before the moment, the number means nothing.

    Args:
        people: Of the world.
        tables: What is known, at least until the last moment; nothing known at a moment or later
            is used for it.
        customer_ids: Whom to foresee.
        moments: First moments of days of the world.
    """
    days = [int(day_of(np.array([to_micros(moment)]))[0]) for moment in moments]
    position = people.index.get_indexer(pd.Index(customer_ids))
    shown = read_shown(tables, ids=pd.Index(customer_ids), n_days=max(days))
    openness = np.stack([_share_of_day(people, position, day) for day in range(max(days))])
    parts = []
    for first in range(0, len(position), _CHUNK):
        last = min(first + _CHUNK, len(position))
        mine, when = shown.of_customers(first, last), openness[:, first:last]
        grid = make_grid(
            people,
            position[first:last],
            minutes=mine.minutes[: min(days)],
            openness=when[: min(days)],
        )
        joins = day_of(people.identity.signed_up_at[position[first:last]]) + 1
        parts.append(_Filter(mine, openness=when, tempers=grid, joins=joins).foresee(days))
    return np.concatenate(parts)


def _share_of_day(people: Population, position: Ints, day: int) -> Floats:
    """The day's part in the customers' own weeks, 1 for an average day, (n,)."""
    share: Floats = 7.0 * hours_of_day(people, day).sum(axis=1)[position]
    return share


@dataclass(frozen=True)
class _Belief:
    """What is thought of n customers.

    Attributes:
        moods: P(mood | temper, what was shown), (moods' tempers, habits, n, states).
        log_weight: Log weight of the temper, (moods' tempers, habits, n).
    """

    moods: Floats
    log_weight: Floats


class _Filter:
    """The forward algorithm of some customers, all tempers at once."""

    def __init__(self, shown: Shown, *, openness: Floats, tempers: Tempers, joins: Ints) -> None:
        self._shown, self._openness, self._tempers, self._joins = shown, openness, tempers, joins
        self._usual_day = np.ones((len(joins), likelihood.N_STATES)) * likelihood.of_no_ticket()

    def foresee(self, days: list[int]) -> Floats:
        """P(lost), (n, days)."""
        settles = {day: max(day - _UNSETTLED_DAYS, 0) for day in days}
        lost: dict[int, Floats] = {}
        belief = self._begin()
        for today in range(max(settles.values()) + 1):
            for day in (day for day, since in settles.items() if since == today):
                lost[day] = self._conclude(belief, first=today, as_of=day)
            belief = self._live(belief, today, as_of=_SETTLED)
        return np.column_stack([lost[day] for day in days])

    def _begin(self) -> _Belief:
        log_weight = self._tempers.log_prior
        moods = np.zeros((*log_weight.shape, likelihood.N_STATES))
        moods[..., likelihood.CONTENT] = 1.0
        return _Belief(moods, log_weight)

    def _conclude(self, belief: _Belief, *, first: int, as_of: int) -> Floats:
        """P(lost) after the days that are not settled yet, as they look at the moment."""
        for day in range(first, as_of):
            belief = self._live(belief, day, as_of=as_of)
        weight = np.exp(belief.log_weight - belief.log_weight.max(axis=(0, 1)))
        content = belief.moods[..., likelihood.CONTENT]
        p_lost = self._tempers.p_lost(days=HORIZON_DAYS)
        lost = content * p_lost.content + (1.0 - content) * p_lost.dissatisfied
        p: Floats = (weight * lost).sum(axis=(0, 1)) / weight.sum(axis=(0, 1))
        return p

    def _live(self, belief: _Belief, day: int, *, as_of: float) -> _Belief:
        """One day: moods change, then the day shows what it shows."""
        moods = self._tempers.step(belief.moods)
        moods *= self._likelihood(day, as_of=as_of)
        total = np.maximum(moods.sum(axis=-1), np.finfo(float).tiny)
        moods /= total[..., None]
        here = day >= self._joins
        if not here.all():
            moods[:, :, ~here] = belief.moods[:, :, ~here]
            total[..., ~here] = 1.0
        return _Belief(moods, belief.log_weight + np.log(total))

    def _likelihood(self, day: int, *, as_of: float) -> Floats:
        """P(what the day showed | habits, mood), (habits, n, states)."""
        shown, tempers = self._shown, self._tempers
        usual = tempers.visits_per_day * self._openness[day]
        visits = likelihood.of_visits(shown.minutes[day], usual=usual)
        same = self._usual_day.copy()
        tickets = shown.tickets.rows(shown.tickets.day == day)
        same[tickets.customer] = likelihood.of_tickets(tickets, as_of=as_of)
        answers = shown.answers.rows(shown.answers.day == day)
        same[answers.customer] *= likelihood.of_answers(answers)
        invoices = shown.invoices.rows(shown.invoices.day == day)
        bills = np.ones((len(tempers.p_late), *same.shape))
        bills[:, invoices.customer] = likelihood.of_invoices(
            invoices, p_late=tempers.p_late[:, invoices.customer], as_of=as_of
        )
        return tempers.join_habits(visits * same, bills)
