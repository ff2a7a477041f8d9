"""Which customer gets which offer: by what it is expected to bring, under one budget.

A multiple-choice knapsack: one offer or none for each customer. It is filled greedily along the
upper hull of each customer's offers (Sinha & Zoltners 1979; Zemel 1980), which is the optimum of
the relaxed problem but for one fraction of an offer. The relaxed optimum is told beside the choice,
so that everybody can see how far at most the choice is from the best one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from features.errors import BadInputError
from features.vocabulary import UpliftGroup

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """Pairs of a customer and an offer, n of them.

    Attributes:
        customer: Whose; equal numbers are one customer, (n,).
        offer: Position of the offer in the beliefs, (n,).
        p_churn: Probability that the customer leaves where nothing is done, (n,).
        value_cents: What keeping the customer is worth, (n,); NaN: not known.
        cost_cents: What the offer costs, (n,); NaN: not known.
        fit: How far the offer answers the customer's reasons, 0 to 1, (n,).
        group: Name of the customer's `UpliftGroup`, (n,); None: no model could tell.
        is_new: Whether the customer never had that offer, (n,).
        effect: Change of the chance to stay, (n,), where a model of such interventions tells it;
            NaN: what is believed of the offer counts.
    """

    customer: Ints
    offer: Ints
    p_churn: Floats
    value_cents: Floats
    cost_cents: Floats
    fit: Floats
    group: npt.NDArray[np.object_]
    is_new: Flags
    effect: Floats

    def __len__(self) -> int:
        return len(self.customer)


@dataclass(frozen=True)
class OfferBeliefs:
    """What k offers are believed to do: the share of those who would leave whom one keeps.

    Attributes:
        names: Of the offers.
        mean: Expected share, (k,); below 0 it drives customers away.
        sd: How unsure that is, (k,).
        group_scale: What the share is multiplied by in each uplift group; groups that are not
            listed get no offer.
    """

    names: tuple[str, ...]
    mean: Floats
    sd: Floats
    group_scale: dict[UpliftGroup, float]


@dataclass(frozen=True)
class Chosen:
    """What was chosen, and how good that is.

    Attributes:
        rows: Positions of the chosen candidates, ascending, (m,); at most one a customer.
        net_cents: What each candidate is expected to bring less its cost, (n,); -inf where it may
            not be offered.
        spent_cents: Cost of what was chosen.
        value_cents: Expected net value of what was chosen.
        bound_cents: No choice within the budget can be expected to bring more.
        price: What the last cent of the budget brings, net; 0 where there is enough for all.
    """

    rows: Ints
    net_cents: Floats
    spent_cents: float
    value_cents: float
    bound_cents: float
    price: float


def choose_offers(candidates: Candidates, *, beliefs: OfferBeliefs, budget_cents: float) -> Chosen:
    """The offers that are expected to bring most together, within the budget.

    Nobody gets an offer who would be driven away by contact, of whom no model could tell, who had
    it before, or whose worth or cost is unknown; nor one that costs more than it brings.

    Raises:
        BadInputError: The arrays do not fit each other, or the budget is no number of cents.
    """
    _require_sound(candidates, beliefs=beliefs, budget_cents=budget_cents)
    net = expect_net_cents(candidates, beliefs=beliefs)
    steps = _find_steps(candidates, net)
    return _fill(candidates, net, steps, budget_cents=budget_cents)


def expect_net_cents(candidates: Candidates, *, beliefs: OfferBeliefs) -> Floats:
    """What each candidate is expected to bring less its cost, (n,); -inf where it may not be."""
    scale = np.array([_scale_of(group, beliefs) for group in candidates.group], dtype=float)
    believed = candidates.p_churn * beliefs.mean[candidates.offer] * candidates.fit * scale
    told = np.where(np.isnan(scale), np.nan, candidates.effect)
    saved = np.where(np.isnan(candidates.effect), believed, told)
    net = saved * candidates.value_cents - candidates.cost_cents
    return np.where(np.isfinite(net) & candidates.is_new, net, -np.inf)


@dataclass(frozen=True, slots=True)
class _Step:
    """From one offer of a customer to the next dearer one that is worth its difference.

    Attributes:
        row: The candidate one comes to.
        cost_cents: What it costs more.
        net_cents: What it brings more.
    """

    row: int
    cost_cents: float
    net_cents: float

    @property
    def slope(self) -> float:
        """Net cents by cent of the budget."""
        return np.inf if self.cost_cents <= 0 else self.net_cents / self.cost_cents


def _scale_of(group: object, beliefs: OfferBeliefs) -> float:
    if group is None or group == UpliftGroup.DO_NOT_DISTURB:
        return np.nan
    return beliefs.group_scale.get(UpliftGroup(str(group)), np.nan)


def _find_steps(candidates: Candidates, net: Floats) -> list[_Step]:
    """Steps along the upper hulls, the best slope first; those of a customer in their order."""
    worth = np.flatnonzero(net > 0)
    keys = (-net[worth], candidates.cost_cents[worth], candidates.customer[worth])
    order = worth[np.lexsort(keys)]
    begins = np.flatnonzero(np.diff(candidates.customer[order])) + 1
    steps = [
        step
        for rows in np.split(order, begins)
        for step in _climb(rows, candidates.cost_cents, net)
    ]
    return sorted(steps, key=lambda step: (-step.slope, step.row))


def _climb(rows: Ints, cost: Floats, net: Floats) -> list[_Step]:
    """The hull of one customer's offers, from no offer up; rows come by cost."""
    hull: list[_Step] = []
    for row in rows:
        step = _step_from(hull, int(row), cost, net)
        if step.net_cents <= 0:
            continue  # dearer and no better
        while hull and step.slope >= hull[-1].slope:
            hull.pop()
            step = _step_from(hull, int(row), cost, net)
        hull.append(step)
    return hull


def _step_from(hull: list[_Step], row: int, cost: Floats, net: Floats) -> _Step:
    base_cost = cost[hull[-1].row] if hull else 0.0
    base_net = net[hull[-1].row] if hull else 0.0
    return _Step(row, float(cost[row] - base_cost), float(net[row] - base_net))


def _fill(
    candidates: Candidates, net: Floats, steps: list[_Step], *, budget_cents: float
) -> Chosen:
    left = float(budget_cents)
    chosen: dict[int, int] = {}
    is_full: set[int] = set()
    for step in steps:
        customer = int(candidates.customer[step.row])
        if customer in is_full:
            continue
        if step.cost_cents <= left:
            chosen[customer] = step.row
            left -= step.cost_cents
        else:
            is_full.add(customer)  # its later steps stand on this one
    rows = np.array(sorted(chosen.values()), dtype=np.int64)
    spent = float(candidates.cost_cents[rows].sum())
    bound, price = _relax(steps, budget_cents=budget_cents)
    return Chosen(rows, net, spent, float(net[rows].sum()), bound, price)


def _relax(steps: list[_Step], *, budget_cents: float) -> tuple[float, float]:
    """What the best choice would bring if offers could be divided, and the slope where it ends."""
    left, bound = float(budget_cents), 0.0
    for step in steps:
        if step.cost_cents > left:
            return bound + left / step.cost_cents * step.net_cents, step.slope
        bound += step.net_cents
        left -= step.cost_cents
    return bound, 0.0


def _require_sound(candidates: Candidates, *, beliefs: OfferBeliefs, budget_cents: float) -> None:
    n, k = len(candidates), len(beliefs.names)
    faults = [
        f"{name}: expected the shape ({n},), got {array.shape}"
        for name, array in vars(candidates).items()
        if array.shape != (n,)
    ]
    if n and not (candidates.offer.min() >= 0 and candidates.offer.max() < k):
        faults.append(f"offer: expected positions from 0 to {k - 1}")
    if n and (candidates.customer.min() < 0):
        faults.append("customer: expected numbers from 0 on")
    if bool((candidates.cost_cents < 0).any()):
        faults.append("cost_cents: expected nothing below 0")
    if not (np.isfinite(budget_cents) and budget_cents >= 0):
        faults.append(f"budget_cents: expected a number from 0 on, got {budget_cents}")
    if faults:
        raise BadInputError(f"offers to choose from: {'; '.join(faults)}")
