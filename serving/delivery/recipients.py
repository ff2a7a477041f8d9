"""Who a message is for, as known now: consent, night and region from the customer's own row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.contracts import CONTRACTS
from features.tables import Tables, rows_that_hold
from serving.online.ledger import load_accounts, owner_of, replay_accounts
from serving.online.live import LiveProfile
from serving.policy.settings import CHANNELS
from serving.store.store import StoreSession


@dataclass(frozen=True)
class RecipientBook:
    """Rows of customers: those that the store was told of, else those of tables.

    Attributes:
        rows: Of tables, by customer.
    """

    rows: Mapping[str, LiveProfile]

    @classmethod
    def of_tables(cls, tables: Tables) -> "RecipientBook":
        """Customers as the tables know them."""
        frame = rows_that_hold(tables["customers"], CONTRACTS["customers"])
        records = frame.to_dict(orient="records")
        profiles = (
            LiveProfile({str(k): _plain(v) for k, v in r.items() if pd.notna(v)}) for r in records
        )
        return cls({str(profile.row["customer_id"]): profile for profile in profiles})

    def find(self, session: StoreSession, customer_id: str, *, at_us: int) -> LiveProfile | None:
        """The customer's row as known at a moment; None where nobody knows them.

        A row that was posted counts as soon as it was told, whatever tables say. What a rebuild
        took of older tables does not: these are newer.
        """
        held = self.rows.get(customer_id)
        generation = session.online.current_generation()
        if generation is not None and (held is None or _was_posted(session, customer_id)):
            accounts = load_accounts(session.online, generation, [customer_id])
            accounts = accounts or replay_accounts(session.online, generation, [customer_id])
            if customer_id in accounts:
                version = accounts[customer_id].profile_at(at_us + 1)
                if version is not None:
                    return LiveProfile(version.row)
        return held


def _was_posted(session: StoreSession, customer_id: str) -> bool:
    facts = session.online.read_facts([owner_of(customer_id)])
    return any(fact.table == "customers" for fact in facts)


def _plain(value: object) -> str | int | float | bool:
    """A cell of a frame; texts and moments, of which none is read here, as text."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return int(value) if isinstance(value, int | np.integer) else str(value)


def has_consent(profile: LiveProfile, *, channel: str) -> bool:
    """Whether there is a yes to the channel."""
    return bool(profile.consent[_column(channel)])


def agrees_to_marketing(profile: LiveProfile, *, channel: str, needs_yes: bool) -> bool:
    """Whether marketing may use the channel: a yes, or no no where that is enough."""
    answer = profile.marketing_answers[_column(channel)]
    return answer == 1 if needs_yes else answer != 0


def _column(channel: str) -> int:
    return [one.value for one in CHANNELS].index(channel)
