"""What offers are believed to do: priors as data, moved by cases that are finished.

The effect of an offer is the share of those who would leave whom it keeps. Of the cases that got
it, those who left are counted against those whom their probabilities foretold, and both against the
holdout, where nothing was done (indirect standardisation, as with mortality ratios). So whoever
recovers alone counts on both sides. Effects are pooled: a part of what an offer shows is taken for
what all offers have in common.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from features.vocabulary import Arm
from serving.playbooks.choose import OfferBeliefs
from serving.playbooks.settings import Playbooks
from serving.store.cases import CaseExit, CaseRow, OfferRow, OfferState

HORIZON: Final = timedelta(days=30)
"""The churn model's own: a case tells once so much time has passed since it was opened."""

_PSEUDO = 5.0
"""Losses, foretold and seen, by which the holdout's ratio is drawn to a calibrated model's, 1."""

_LEAST_FIT = 0.05
_LEAST_FORETOLD = 1e-6  # cases of which nobody was to leave tell next to nothing
_GIVEN = (OfferState.MADE, OfferState.ACCEPTED, OfferState.DECLINED)


@dataclass(frozen=True)
class Tally:
    """Cases that can be told from: how many left, and how many were foretold to.

    Attributes:
        n: Cases.
        lost: Customers who left within the horizon.
        foretold: Sum of their probabilities.
        variance: Of the number that leaves by chance alone.
    """

    n: int
    lost: float
    foretold: float
    variance: float

    @classmethod
    def of(cls, cases: Sequence[CaseRow]) -> "Tally":
        """Count cases."""
        p = np.array([case.p_churn for case in cases])
        lost = sum(left_in_time(case) for case in cases)
        return cls(len(cases), float(lost), float(p.sum()), float((p * (1.0 - p)).sum()))


def left_in_time(case: CaseRow) -> bool:
    """Whether the customer left within the horizon."""
    return (
        case.exit_reason is CaseExit.LEFT
        and case.closed_at is not None
        and case.closed_at - case.opened_at <= HORIZON
    )


def make_beliefs(
    playbooks: Playbooks,
    cases: Sequence[CaseRow],
    offers: Sequence[OfferRow],
    *,
    now: datetime,
) -> OfferBeliefs:
    """Prior and finished cases together: a normal posterior (Gelman et al. 2013, ch. 5).

    Cases of one offer that were chosen for its sake differ from others by more than p; chance
    decides only in the arm `random` and in the explored share, so that this errs where the churn
    model does.

    Args:
        playbooks: With the priors.
        cases: All, of every arm.
        offers: All.
        now: Cases that were opened less than the horizon ago do not tell yet.
    """
    told = {case.case_id: case for case in cases if now - case.opened_at >= HORIZON}
    holdout = Tally.of([case for case in told.values() if case.arm is Arm.HOLDOUT])
    by_offer = _group(offers, told)
    k = len(playbooks.offers)
    mean, covariance = _read_priors(playbooks)
    observed = np.full(k, np.nan)
    variance = np.full(k, np.inf)
    for n, name in enumerate(playbooks.offer_names):
        if got := by_offer.get(name):
            observed[n], variance[n] = _measure(got, holdout, playbooks=playbooks, offer=name)
    seen = np.isfinite(variance)
    if seen.any():
        gain = covariance[:, seen] @ np.linalg.inv(
            covariance[np.ix_(seen, seen)] + np.diag(variance[seen])
        )
        mean = mean + gain @ (observed[seen] - mean[seen])
        covariance = covariance - gain @ covariance[seen]
    sd = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return OfferBeliefs(playbooks.offer_names, mean, sd, dict(playbooks.choice.group_scale))


def _read_priors(playbooks: Playbooks) -> tuple[np.ndarray, np.ndarray]:
    """Mean (k,) and covariance (k, k): own doubts, and one that all offers share."""
    priors = [offer.prior for offer in playbooks.offers.values()]
    own = np.diag([prior.sd**2 for prior in priors])
    shared = playbooks.choice.prior_pool_sd**2
    return np.array([prior.mean for prior in priors]), own + shared


def _group(offers: Sequence[OfferRow], told: Mapping[str, CaseRow]) -> dict[str, list[CaseRow]]:
    grouped: dict[str, list[CaseRow]] = {}
    for offer in offers:
        if offer.state in _GIVEN and offer.case_id in told:
            grouped.setdefault(offer.offer, []).append(told[offer.case_id])
    return grouped


def _measure(
    got: Sequence[CaseRow], holdout: Tally, *, playbooks: Playbooks, offer: str
) -> tuple[float, float]:
    """Share kept by an offer that fits fully, and the variance of that (delta method)."""
    with_it = Tally.of(got)
    base = (holdout.lost + _PSEUDO) / (holdout.foretold + _PSEUDO)
    foretold = max(with_it.foretold, _LEAST_FORETOLD)
    ratio = with_it.lost / foretold
    scale = playbooks.choice.group_scale
    fits = [
        playbooks.offers[offer].fit(case.factors)
        * (1.0 if case.uplift_group is None else scale.get(case.uplift_group, 0.0))
        for case in got
    ]
    fit = max(float(np.mean(fits)), _LEAST_FIT)
    of_ratio = max(with_it.variance, 0.25) / foretold**2
    of_base = (holdout.variance + _PSEUDO) / (holdout.foretold + _PSEUDO) ** 2
    variance = of_ratio / base**2 + ratio**2 / base**4 * of_base
    return (1.0 - ratio / base) / fit, variance / fit**2
