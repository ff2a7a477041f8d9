"""What is known of customers at the moment of a decision, read from their states."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from features.churn import ACTIVE_WITHIN_DAYS, CHURN_FEATURES
from features.contracts import MARKETING
from features.declared.account import SUBSCRIPTION_ACTIVE
from features.engagement import ENGAGEMENT_FEATURES
from features.vocabulary import Channel
from serving.online.accounts import Account
from serving.online.cells import Row
from serving.online.ledger import load_accounts, replay_accounts
from serving.policy.cases import Flags, Floats
from serving.snapshot.state import Snapshot
from serving.store.kept import Generation
from serving.store.online import OnlineSession
from training.registry.servable import ChurnModel

_NINE: Final = 9
_CLOCKS_DIFFER_US: Final = 5 * 60 * 1_000_000


@dataclass(frozen=True)
class LiveProfile:
    """To whom one writes, from the customer's own row."""

    row: Row

    @property
    def language(self) -> str:
        """The language."""
        return str(self.row["language"])

    @property
    def timezone(self) -> str:
        """The IANA time zone."""
        return str(self.row["timezone"])

    @property
    def segment(self) -> str | None:
        """The segment; None where unknown."""
        name = self.row.get("segment")
        return None if name is None else str(name)

    @property
    def first_name(self) -> str | None:
        """The first name; None where unknown."""
        name = self.row.get("first_name")
        return None if name is None else str(name)

    @cached_property
    def consent(self) -> Flags:
        """Consent in the order of `Channel`, (5,); unknown is False."""
        return np.array([self.row.get(f"consent_{channel}") is True for channel in Channel])

    @cached_property
    def marketing_answers(self) -> list[int]:
        """What the customer said to marketing by channel: yes (1), no (0), nothing (-1)."""
        told = (self.row.get(f"{MARKETING}{channel}") for channel in Channel)
        return [-1 if answer is None else int(bool(answer)) for answer in told]

    @property
    def region(self) -> str | None:
        """The region; None where unknown."""
        name = self.row.get("region")
        return None if name is None else str(name)

    @property
    def nine_is_active(self) -> bool:
        """Whether 9:00 lies in the active hours; true where they are unknown."""
        opens, closes = self.row.get("active_from_hour"), self.row.get("active_to_hour")
        if opens is None or closes is None:
            return True
        if int(opens) <= int(closes):
            return int(opens) <= _NINE <= int(closes)
        return int(opens) <= _NINE or int(closes) >= _NINE


@dataclass(frozen=True)
class LiveCustomer:
    """A customer at the moment of a decision.

    Attributes:
        as_of_us: The moment.
        profile: Their own row; None where the snapshot's is as new.
        churn: Features of the churn model; NaN is null.
        engagement: Features of the channel model; NaN is null.
        week_counts: Presence by hour of the week, (168,).
        p_churn: Churn probability; NaN without a model and for those who are gone.
        told_us: Facts up to this moment are in it.
    """

    as_of_us: int
    profile: LiveProfile | None
    churn: Floats
    engagement: Floats
    week_counts: Floats
    p_churn: float
    told_us: int


def read_live(
    online: OnlineSession,
    snapshot: Snapshot,
    customer_ids: Sequence[str],
    *,
    moments_us: Sequence[int],
) -> dict[int, LiveCustomer]:
    """What the states say of customers, by position; those without a state are left out.

    So are those whose state knows of more than a few minutes after the moment: a state cannot be
    asked about its past. Quick where no facts were ever posted and nothing was rebuilt.
    """
    generation = online.current_generation()
    if generation is None:
        return {}
    accounts, made = _load(online, generation, customer_ids)
    online.put_states(generation.number, [account.pack() for account in made.values()])
    found: dict[int, LiveCustomer] = {}
    for position, (customer_id, as_of_us) in enumerate(zip(customer_ids, moments_us, strict=True)):
        account = accounts.get(customer_id)
        if account is None or account.state.known_us > as_of_us + _CLOCKS_DIFFER_US:
            continue
        # Another server's clock may be ahead of ours: what it was told counts, a no above all.
        # A settled state is ahead of what it was told last by its one microsecond alone.
        known_us = account.state.known_us
        read_at_us = known_us + 1 if known_us > as_of_us + 1 else max(as_of_us, known_us)
        found[position] = _read(account, snapshot, generation, as_of_us=read_at_us)
    return found


def read_one(
    online: OnlineSession, snapshot: Snapshot, customer_id: str, *, now_us: int | None
) -> LiveCustomer | None:
    """What the state of one customer says now; None without one.

    Args:
        online: A transaction that may only read.
        snapshot: What the server knows.
        customer_id: Which customer.
        now_us: The moment; None where there is no clock: then right after what was told last.
    """
    generation = online.current_generation()
    if generation is None:
        return None
    moment_us = snapshot.as_of_us if now_us is None else now_us
    accounts, _ = _load(online, generation, [customer_id])
    account = accounts.get(customer_id)
    if account is None:
        return None
    as_of_us = max(moment_us, account.state.known_us + 1)
    return _read(account, snapshot, generation, as_of_us=as_of_us)


def _load(
    online: OnlineSession, generation: Generation, customer_ids: Collection[str]
) -> tuple[dict[str, Account], dict[str, Account]]:
    """Accounts by customer, and those of them that were made anew for the running layout."""
    accounts = load_accounts(online, generation, customer_ids)
    missing = set(customer_ids) - accounts.keys()
    stale = set(online.find_states(generation.number, missing)) if missing else set()
    if not stale:
        return accounts, {}
    made = replay_accounts(online, generation, stale)
    return {**accounts, **made}, made


def read_features(
    account: Account, generation: Generation, *, as_of_us: int, model: ChurnModel | None
) -> LiveCustomer:
    """Features and churn score of an account at a moment, not before it was last told something."""
    present = generation.tables | {"customers"}
    churn = account.state.features(as_of_us, CHURN_FEATURES, present=present)
    engagement = account.state.features(as_of_us, ENGAGEMENT_FEATURES, present=present)
    p_churn = np.nan
    if model is not None and _can_be_lost(engagement, present=present):
        p_churn = float(model.predict(churn[None, :])[0])
    hours = account.state.hours(as_of_us)
    told_us = max(account.state.known_us, generation.as_of_us)
    return LiveCustomer(as_of_us, None, churn, engagement, hours, p_churn, told_us)


def _read(
    account: Account, snapshot: Snapshot, generation: Generation, *, as_of_us: int
) -> LiveCustomer:
    live = read_features(account, generation, as_of_us=as_of_us, model=snapshot.models.churn)
    version = account.profile_at(as_of_us)
    if version is None or not _is_news(version.known_us, account.customer_id, snapshot, generation):
        return live
    return replace(live, profile=LiveProfile(version.row))


def _is_news(known_us: int, customer_id: str, snapshot: Snapshot, generation: Generation) -> bool:
    """Whether a version of a customer's row is newer than the snapshot's.

    Both may be the same row of the tables, changed in place: then the later look at the tables
    counts.
    """
    row = snapshot.customers.row_of.get(customer_id)
    if row is None:
        return True
    known_to_snapshot_us = int(snapshot.customers.known_us[row])
    if known_us != known_to_snapshot_us:
        return known_us > known_to_snapshot_us
    return generation.as_of_us > snapshot.as_of_us


def _can_be_lost(engagement: Floats, *, present: frozenset[str]) -> bool:
    """Whether the customer is one that can still be lost, as `eligible_customers` says it."""
    if "subscriptions" in present:
        return bool(engagement[_SUBSCRIBED] == 1.0)
    return bool(np.nansum(engagement[_SIGNS_OF_LIFE]) > 0)


_SUBSCRIBED: Final = ENGAGEMENT_FEATURES.names.index(SUBSCRIPTION_ACTIVE.name)
_SIGNS_OF_LIFE: Final = [
    ENGAGEMENT_FEATURES.names.index(f"{table}_{ACTIVE_WITHIN_DAYS}d")
    for table in ("activity", "orders")
]
