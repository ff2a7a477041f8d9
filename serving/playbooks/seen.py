"""What is seen of a customer's risk at a moment: from their state, or from a snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.churn import CHURN_FEATURES
from features.churn.factors import default_factors
from features.churn.risk import Risk, RiskRules
from features.economics import Economics
from features.vocabulary import Channel, Factor, Tier
from serving.online.live import LiveCustomer, read_one
from serving.policy.cases import Flags, Floats
from serving.risk.reasons import find_grounds
from serving.snapshot.state import Snapshot
from serving.store.online import OnlineSession

_MRR: Final = CHURN_FEATURES.names.index("mrr_cents")
_ORDERED: Final = CHURN_FEATURES.names.index("order_cents_90d")
_ORDER_MONTHS: Final = 3.0  # the orders that are counted are those of 90 days


@dataclass(frozen=True, slots=True)
class Belongs:
    """What a customer's own row tells.

    Attributes:
        segment: None where unknown.
        language: Of the customer.
        consent: By channel, (5,); what was never said is none.
    """

    segment: str | None
    language: str
    consent: Flags


NOT_KNOWN: Final = Belongs(None, "en", np.zeros(len(Channel), dtype=np.bool_))
"""Of whom nobody has a row."""


@dataclass(frozen=True)
class Seen:
    """A customer whom the company knows, at a moment.

    Attributes:
        customer_id: Who.
        p_churn: Calibrated probability; None of whom is gone already.
        score: The one that decides the tier; None likewise.
        tier: None likewise.
        churn: Features of the churn model, (n,); NaN is null.
        engagement: Features of the uplift model, (m,); NaN is null.
        segment: None where unknown.
        language: Of the customer.
        n_refused: Channels without consent; what was never said is none.
        told_us: Facts up to this moment are in it.
    """

    customer_id: str
    p_churn: float | None
    score: float | None
    tier: Tier | None
    churn: Floats
    engagement: Floats
    segment: str | None
    language: str
    n_refused: int
    told_us: int

    @property
    def mrr_cents(self) -> int | None:
        """Monthly revenue of the subscription; None where there is none."""
        return _to_cents(self.churn[_MRR])

    def value_cents(self, economics: Economics) -> float | None:
        """Margin that is lost with the customer, of subscription and orders; None: not known."""
        monthly = np.array([self.churn[_MRR], self.churn[_ORDERED] / _ORDER_MONTHS])
        if np.isnan(monthly).all():
            return None
        lost = np.nansum(monthly) * economics.margin_share * economics.lost_customer_months
        return float(lost)

    def find_factors(self, snapshot: Snapshot) -> tuple[Factor, ...]:
        """Why the model takes them for riskier than others, strongest first; at most three."""
        if self.p_churn is None:
            return ()
        (factors,) = find_factors_of([self], snapshot)
        return factors


def find_factors_of(customers: Sequence[Seen], snapshot: Snapshot) -> list[tuple[Factor, ...]]:
    """Why the model takes each for riskier than others; at least one, and nobody who is gone."""
    model = snapshot.models.churn
    if model is None:
        return [()] * len(customers)
    churn = np.vstack([one.churn for one in customers])
    grounds = find_grounds(model, churn, factors=default_factors())
    return [tuple(factor for factor, _ in grounds.strongest(row)) for row in range(len(customers))]


def see_live(customer_id: str, live: LiveCustomer, snapshot: Snapshot, *, rules: RiskRules) -> Seen:
    """What a customer's state shows; language and segment are the newest that are known."""
    row = snapshot.customers.row_of.get(customer_id)
    belongs = NOT_KNOWN if row is None else _read_belonging(snapshot, row)
    if live.profile is not None:
        belongs = Belongs(live.profile.segment, live.profile.language, live.profile.consent)
    (seen,) = list_seen(
        [customer_id],
        rules.assess(
            np.array([live.p_churn]), features=live.churn[None, :], names=CHURN_FEATURES.names
        ),
        churn=[live.churn],
        engagement=[live.engagement],
        belonging=[belongs],
        told_us=live.told_us,
    )
    return seen


def see_snapshot(
    snapshot: Snapshot, customer_ids: Sequence[str], *, rules: RiskRules
) -> list[Seen]:
    """What a snapshot shows of those customers whom it knows, in their order."""
    customers = snapshot.customers
    known = [one for one in customer_ids if one in customers.row_of]
    rows = np.array([customers.row_of[one] for one in known], dtype=np.int64)
    if not known:
        return []
    churn = customers.churn[rows]
    return list_seen(
        known,
        rules.assess(customers.p_churn[rows], features=churn, names=CHURN_FEATURES.names),
        churn=churn,
        engagement=customers.engagement[rows],
        belonging=[_read_belonging(snapshot, row) for row in rows.tolist()],
        told_us=snapshot.as_of_us,
    )


def see_now(
    online: OnlineSession,
    snapshot: Snapshot,
    customer_id: str,
    *,
    now_us: int | None,
    rules: RiskRules,
) -> Seen | None:
    """What is known of one customer now; None: nobody knows them (any more)."""
    live = read_one(online, snapshot, customer_id, now_us=now_us)
    if live is not None:
        return see_live(customer_id, live, snapshot, rules=rules)
    seen = see_snapshot(snapshot, [customer_id], rules=rules)
    return seen[0] if seen else None


def list_seen(
    customer_ids: Sequence[str],
    risk: Risk,
    *,
    churn: Sequence[Floats] | Floats,
    engagement: Sequence[Floats] | Floats,
    belonging: Sequence[Belongs],
    told_us: int,
) -> list[Seen]:
    """Customers as their risk and features show them; all in one order, as of one moment."""
    return [
        Seen(
            customer_id,
            None if tier is None else float(risk.p_churn[n]),
            None if tier is None else float(risk.deciding[n]),
            tier,
            churn[n],
            engagement[n],
            belonging[n].segment,
            belonging[n].language,
            int((~belonging[n].consent).sum()),
            told_us,
        )
        for n, (customer_id, tier) in enumerate(zip(customer_ids, risk.tiers, strict=True))
    ]


def _read_belonging(snapshot: Snapshot, row: int) -> Belongs:
    customers = snapshot.customers
    return Belongs(customers.segments[row], customers.languages[row], customers.consent[row])


def _to_cents(value: float) -> int | None:
    return None if np.isnan(value) else round(float(value))
