"""A randomised trial as arrays: who could get what, who got what by chance, what came of it."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from features.errors import BadInputError
from training.datasets.provenance import Customers
from training.measures import Bools, Floats, Integers

NONE = -1
"""Position of *no treatment*."""


@dataclass(frozen=True)
class Trial:
    """One row per decision of chance.

    Attributes:
        X: Features before the decision, (n, features); NaN is null.
        group: Position in a closed set whose effects are pooled (triggers), (n,).
        treatment: Position of the treatment given, `NONE` for no treatment, (n,).
        p_each: Probability of each treatment, (n, treatments); what is left is of none.
        eligible: Which treatments could have been given, (n, treatments).
        outcome: What came of it, higher is better, (n,).
        reach: How much the treatment would be noticed, (n, treatments); 1 where nothing tells.
        customers: customer_id, (n,).
        bounded: Families of groups whose reach is the most that the treatment can change: what it
            does is a share of that, between none and all, and alike in a family.
        other: Group of another treatment to which the outcome is booked, (n,), `NONE` where it is
            not; None where nobody books.
        crowded: Groups whose outcome often comes of other things, too: who would order anyway shows
            no second order, and an order brought about is seen only where there is none.
    """

    X: Floats
    group: Integers
    treatment: Integers
    p_each: Floats
    eligible: Bools
    outcome: Floats
    reach: Floats
    customers: Customers
    bounded: tuple[frozenset[int], ...] = ()
    other: Integers | None = None
    crowded: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        n = len(self.outcome)
        if {len(a) for a in (self.X, self.group, self.treatment, self.p_each)} != {n}:
            raise BadInputError(f"a trial wants arrays of one length, the outcome has {n} rows")
        if n and not (self.p_taken.min() > 0 and self.p_taken.max() <= 1):
            raise BadInputError("p_each: what was given had a probability in (0, 1]")

    @property
    def p_none(self) -> Floats:
        """Probability of no treatment, (n,)."""
        p: Floats = 1.0 - self.p_each.sum(axis=1)
        return p

    @property
    def p_taken(self) -> Floats:
        """Probability of what was given, no treatment included, (n,)."""
        given = self.p_each[np.arange(len(self.outcome)), np.maximum(self.treatment, 0)]
        p: Floats = np.where(self.treated, given, self.p_none)
        return p

    @property
    def treated(self) -> Bools:
        """Who got any treatment, (n,)."""
        given: Bools = self.treatment != NONE
        return given

    @property
    def n_treatments(self) -> int:
        """How many treatments there are beside none."""
        return int(self.eligible.shape[1])

    def take(self, rows: Bools | Integers) -> Self:
        """These rows."""
        return replace(
            self,
            X=self.X[rows],
            group=self.group[rows],
            treatment=self.treatment[rows],
            p_each=self.p_each[rows],
            eligible=self.eligible[rows],
            outcome=self.outcome[rows],
            reach=self.reach[rows],
            customers=self.customers[rows],
            other=None if self.other is None else self.other[rows],
        )

    def count_both(self) -> tuple[int, int]:
        """Rows with a treatment, and rows without."""
        n_treated = int(self.treated.sum())
        return n_treated, len(self.outcome) - n_treated


@dataclass(frozen=True)
class Pairs:
    """Every row with each treatment that it could have had: what effects are learned on.

    Attributes:
        row: Row of the trial, (m,).
        treatment: Position of the treatment, (m,).
    """

    row: Integers
    treatment: Integers


def pair_up(eligible: Bools) -> Pairs:
    """The pairs of (row, eligible treatment)."""
    row, treatment = np.nonzero(eligible)
    return Pairs(row.astype(np.int64), treatment.astype(np.int64))


def to_matrix(X: Floats, *, group: Integers, treatment: Integers, reach: Floats) -> Floats:
    """What trees see of pairs: the features, the group, the treatment and its reach."""
    return np.column_stack(
        [X, group.astype(np.float64), treatment.astype(np.float64), reach.astype(np.float64)]
    )
