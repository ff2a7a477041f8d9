"""Which offers could be made to whom, as arrays to choose from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from features.economics import Economics
from features.vocabulary import Factor, Tier, UpliftGroup
from serving.playbooks.choose import Candidates, OfferBeliefs, expect_net_cents
from serving.playbooks.judges import Judged
from serving.playbooks.plans import has_offer, list_items
from serving.playbooks.seen import Seen
from serving.playbooks.settings import Playbooks


@dataclass(frozen=True, slots=True)
class Pair:
    """A customer and an offer that fits them.

    Attributes:
        n: Number of the customer.
        offer: Position of the offer.
        value_cents: Margin that is lost with the customer; None: not known.
        mrr_cents: Monthly revenue; None: not known.
        factors: Why they may leave, the strongest reason first.
    """

    n: int
    customer_id: str
    offer: int
    name: str
    p_churn: float
    value_cents: float | None
    mrr_cents: int | None
    factors: tuple[Factor, ...]


def list_candidates(
    pairs: Sequence[Pair],
    *,
    playbooks: Playbooks,
    judged: Mapping[str, Judged],
    had: set[tuple[str, str]],
) -> Candidates:
    """Pairs as columns.

    Args:
        pairs: Of customers and offers.
        playbooks: With the offers.
        judged: What contact does, by customer; who is not listed could not be judged.
        had: Customers and the offers that they had before.
    """
    said = [judged.get(pair.customer_id, Judged(None)) for pair in pairs]
    offers = [playbooks.offers[pair.name] for pair in pairs]
    costs = [
        offer.cost.find_cents(pair.mrr_cents) for offer, pair in zip(offers, pairs, strict=True)
    ]
    fits = [offer.fit(pair.factors) for offer, pair in zip(offers, pairs, strict=True)]
    effects = [one.effects.get(pair.name) for one, pair in zip(said, pairs, strict=True)]
    return Candidates(
        customer=np.array([pair.n for pair in pairs], dtype=np.int64),
        offer=np.array([pair.offer for pair in pairs], dtype=np.int64),
        p_churn=np.array([pair.p_churn for pair in pairs], dtype=float),
        value_cents=np.array([_or_nan(pair.value_cents) for pair in pairs], dtype=float),
        cost_cents=np.array([_or_nan(cost) for cost in costs], dtype=float),
        fit=np.array(fits, dtype=float),
        group=np.array([one.group for one in said], dtype=object),
        is_new=np.array([(p.customer_id, p.name) not in had for p in pairs], dtype=bool),
        effect=np.array([_or_nan(effect) for effect in effects], dtype=float),
    )


def fits_offer(
    name: str,
    playbooks: Playbooks,
    *,
    tier: Tier,
    factors: tuple[Factor, ...],
    mrr_cents: int | None,
) -> bool:
    """Whether an offer belongs to the tier, answers a reason, and has a cost that is known."""
    offer = playbooks.offers[name]
    return (
        tier in offer.tiers
        and offer.fit(factors) > 0.0
        and offer.cost.find_cents(mrr_cents) is not None
    )


@dataclass(frozen=True)
class Prospect:
    """A customer who might get a case.

    Attributes:
        seen: What is known of them.
        judged: What contact does to them.
        factors: Why they may leave, the strongest reason first.
        tier: By whose steps they would be worked on.
    """

    seen: Seen
    judged: Judged
    factors: tuple[Factor, ...]
    tier: Tier


def expect_case_cents(
    prospect: Prospect, *, playbooks: Playbooks, beliefs: OfferBeliefs, economics: Economics
) -> float:
    """What a case is expected to bring, net; -inf where contact would drive the customer away.

    What a model of cases says of a whole one, where there is such a model. Else the best of its
    steps that the customer hears of, or, where no model tells what those do, what is believed of
    them; and the best offer beside, where that is worth its cost.

    Args:
        prospect: Who might get it.
        playbooks: Steps and offers.
        beliefs: What offers are believed to do.
        economics: What a customer is worth.
    """
    seen, group = prospect.seen, prospect.judged.group
    value = seen.value_cents(economics)
    if seen.p_churn is None or value is None or group is UpliftGroup.DO_NOT_DISTURB:
        return -np.inf
    if prospect.judged.case_effect is not None:
        return prospect.judged.case_effect * value
    factor = prospect.factors[0] if prospect.factors else None
    steps = [
        step.item
        for step in list_items(prospect.tier, factor, playbooks=playbooks)
        if playbooks.items[step.item].contacts
    ]
    told = [prospect.judged.effects[name] for name in steps if name in prospect.judged.effects]
    scale = 1.0 if group is None else playbooks.choice.group_scale.get(group, 0.0)
    saved = max(told, default=seen.p_churn * playbooks.choice.contact_share * scale)
    return saved * value + max(_find_best_offer(prospect, value, playbooks, beliefs), 0.0)


def _find_best_offer(
    prospect: Prospect, value: float, playbooks: Playbooks, beliefs: OfferBeliefs
) -> float:
    """What the best offer brings less its cost; -inf where none may be made."""
    seen, factors = prospect.seen, prospect.factors
    if not has_offer(prospect.tier, factors[0] if factors else None, playbooks=playbooks):
        return -np.inf
    mrr_cents = seen.mrr_cents
    pairs = [
        Pair(0, seen.customer_id, offer, name, seen.p_churn or 0.0, value, mrr_cents, factors)
        for offer, name in enumerate(playbooks.offer_names)
        if fits_offer(name, playbooks, tier=prospect.tier, factors=factors, mrr_cents=mrr_cents)
    ]
    candidates = list_candidates(
        pairs, playbooks=playbooks, judged={seen.customer_id: prospect.judged}, had=set()
    )
    return float(expect_net_cents(candidates, beliefs=beliefs).max(initial=-np.inf))


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else float(value)
