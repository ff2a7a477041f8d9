"""The oracle: it asks the world what every message is truly worth, and sends the best there is.

It decides about the same cases as the engine, over the actions that the engine's guards allow, and
keeps its records in the same store; only the choice is made by the truth. It is greedy: each
customer's most valuable case first, without a thought for the cases to come. A strong reference,
not a bound.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
import pandas as pd

from features.triggers import find_triggers
from features.vocabulary import Channel, Trigger
from serving.copy.content import Content
from serving.copy.library import Library, Variant, default_library
from serving.copy.render import render
from serving.lots.decided import Kept
from serving.lots.lot import DecisionLot
from serving.lots.reading import read_records
from serving.policy.cases import Floats
from serving.records import (
    AllowedAction,
    Decision,
    DecisionRequest,
    OutcomeEvent,
    OutcomeState,
    PlannedMessage,
    Reason,
)
from serving.rehearsal.loop import Sitting, value_sent
from serving.rehearsal.policies import AtRisk, Cadence, ask
from serving.rehearsal.snapshots import snapshot_of_some
from serving.requests import requests_of
from serving.runtime import EngineParts
from serving.snapshot.state import Models
from serving.store.budgets import Ledger
from serving.store.incidents import Incident
from serving.store.online import OnlineSession
from serving.store.protocol import DecisionSession
from serving.store.reach import Refusals
from serving.store.store import Store, StoredContact, StoreSession
from training.bandit.files import new_bandit
from training.world.protocol import World

SLOTS_A_CHANNEL = 2
"""Moments at which every wording is valued: the wording moves the best moment hardly ever."""

_CANDIDATE = ["customer_id", "trigger", "channel", "send_at", "variant"]

Choose = Callable[[Sequence[Decision]], list[Decision]]
"""Other decisions instead, about the same cases."""


@dataclass
class OracleActor:
    """Decides by the truth about the cases that everybody decides about.

    Attributes:
        world: The one it acts in.
        parts: Settings, prices, store; the random arm, so that records list what is allowed.
        models: Champions; they name who is at risk, as for every policy.
        cadence: How often scores are taken.
    """

    world: World
    parts: EngineParts
    models: Models
    cadence: Cadence
    at_risk: AtRisk = field(init=False)
    chooser: "Chooser" = field(init=False)

    def __post_init__(self) -> None:
        """Nobody has been scored yet."""
        self.at_risk = AtRisk(self.cadence.score_days)
        self.chooser = Chooser(self.world, self.parts)

    def decide(self, sitting: Sitting, /) -> list[Decision]:
        """Each customer's cases one after the other, the most valuable first."""
        at_risk = self.at_risk.requests(sitting, models=self.models, parts=self.parts)
        requests = ask(sitting, at_risk, parts=self.parts)
        if not requests:
            return []
        snapshot = snapshot_of_some(
            sitting.tables,
            {request.customer_id for request in requests},
            as_of=sitting.now,
            models=Models(),
            bandit=new_bandit(),
        )
        store = AmendingStore(self.parts.store, self.chooser.choose)
        engine = replace(self.parts.engine(snapshot), store=store)
        worth = self.chooser.value_now(requests, now=sitting.now).max(axis=1)
        for lot in _best_first(requests, worth):
            engine.decide_many(lot)
        return store.kept

    def report(self, outcomes: Sequence[OutcomeEvent], /) -> list[OutcomeState]:
        """Book outcomes in the store."""
        with self.parts.store.transaction() as session:
            return session.add_outcomes(outcomes)


def _best_first(requests: Sequence[DecisionRequest], worth: Floats) -> list[list[DecisionRequest]]:
    """The requests in lots that hold no customer twice, the most valuable ones first."""
    lots: dict[int, list[DecisionRequest]] = defaultdict(list)
    n_seen: dict[str, int] = defaultdict(int)
    for position in np.argsort(-worth, kind="stable").tolist():
        request = requests[position]
        lots[n_seen[request.customer_id]].append(request)
        n_seen[request.customer_id] += 1
    return [lots[number] for number in sorted(lots)]


def find_best_channel(world: World, *, parts: EngineParts) -> Channel:
    """The channel on which everybody with consent is best told at once, by the truth at the start.

    It flatters whoever always uses it: nobody knows this truth.
    """
    tables = world.tables(world.start)
    found = find_triggers(tables, as_of=world.start)
    chooser = Chooser(world, parts)
    values = chooser.value_now(requests_of(found, as_of=world.start), now=world.start)
    consents = tables["customers"].set_index("customer_id")[[f"consent_{c}" for c in Channel]]
    may = consents.reindex(found["customer_id"]).fillna(False).to_numpy(dtype=bool)
    return tuple(Channel)[int(np.where(may, values, 0.0).sum(axis=0).argmax())]


@dataclass(frozen=True)
class Chooser:
    """Finds the best of what is allowed.

    Attributes:
        world: Whom to ask.
        parts: Prices and the sender of the texts.
        library: Wordings to choose from.
        words: Texts that were written before, by variant.
    """

    world: World
    parts: EngineParts
    library: Library = field(default_factory=default_library)
    words: dict[str, Content] = field(default_factory=dict)

    def value_now(self, requests: Sequence[DecisionRequest], *, now: datetime) -> Floats:
        """Cents of an average message sent now on every channel, (n, 5)."""
        n_channels = len(Channel)
        values = self.world.true_value(
            pd.DataFrame(
                {
                    "customer_id": np.repeat([r.customer_id for r in requests], n_channels),
                    "trigger": np.repeat([r.trigger.value for r in requests], n_channels),
                    "channel": [c.value for c in Channel] * len(requests),
                    "send_at": pd.Timestamp(now).as_unit("us"),
                    "variant": pd.Series([None] * (len(requests) * n_channels), dtype="str"),
                }
            )
        )
        return values.reshape(-1, n_channels)

    def choose(self, records: Sequence[Decision]) -> list[Decision]:
        """Each record with the best allowed message on one channel, or none if none is worth it."""
        actions = self.list_actions(records)
        if actions.empty:
            return [_say_nothing(record) for record in records]
        moments = best_moments(actions.assign(value=self.value(actions)), n=SLOTS_A_CHANNEL)
        worded = self.with_variants(moments)
        worded["value"] = self.value(worded)
        best = worded.loc[worded.groupby("record")["value"].idxmax()]
        best = best[best["value"] > 0]
        chosen = {
            number: _Best(Channel(channel), send_at.to_pydatetime(), variant)
            for number, channel, send_at, variant in zip(
                best["record"], best["channel"], best["send_at"], best["variant"], strict=True
            )
        }
        return [
            self._send(record, chosen[number]) if number in chosen else _say_nothing(record)
            for number, record in enumerate(records)
        ]

    def list_actions(self, records: Sequence[Decision]) -> pd.DataFrame:
        """What is allowed on one channel: record, customer_id, trigger, channel, send_at, variant.

        Records that were refused allow nothing.
        """
        rows = [
            (number, record.customer_id, record.trigger.value, action.channels[0].value, at)
            for number, record in enumerate(records)
            for action in record.allowed
            if len(action.channels) == 1 and (at := action.send_at) is not None
        ]
        columns = ["record", "customer_id", "trigger", "channel", "send_at"]
        frame = pd.DataFrame(rows, columns=columns)
        frame["send_at"] = pd.to_datetime(frame["send_at"], utc=True).dt.as_unit("us")
        return frame.assign(variant=pd.Series([None] * len(frame), dtype="str"))

    def with_variants(self, actions: pd.DataFrame) -> pd.DataFrame:
        """Every action with every variant of its trigger and channel."""
        places = actions[["trigger", "channel"]].drop_duplicates()
        variants = pd.DataFrame(
            [
                (trigger, channel, variant.variant_id)
                for trigger, channel in places.itertuples(index=False)
                for variant in self.library.variants(Trigger(trigger), Channel(channel))
            ],
            columns=["trigger", "channel", "variant"],
        ).astype("str")
        bare = actions.drop(columns=["variant", "value"], errors="ignore")
        return bare.merge(variants, on=["trigger", "channel"])

    def value(self, actions: pd.DataFrame) -> Floats:
        """Cents of each of these messages."""
        return self.world.true_value(actions[_CANDIDATE].reset_index(drop=True))

    def value_notices(self, messages: pd.DataFrame, *, by: Sequence[str]) -> Floats:
        """Cents of each of these messages beside those above it that share these columns."""
        candidates = messages[_CANDIDATE].reset_index(drop=True)
        notice = np.asarray(messages.groupby(list(by)).ngroup(), dtype=np.int64)
        return value_sent(self.world, candidates, notice=notice)

    def _send(self, record: Decision, best: "_Best") -> Decision:
        channel, variant = best.channel, self.library.variant(best.variant)
        content = self._write(variant)
        message = PlannedMessage(
            message_id=f"{record.decision_id}.{channel}",
            channel=channel,
            variant=variant.variant_id,
            content=content,
            cost_cents=self.parts.economics.send_cost_cents(channel, n_segments=content.n_segments),
        )
        return _say_nothing(record).model_copy(
            update={
                "send": True,
                "reason": Reason.CHOSEN,
                "channels": (channel,),
                "send_at": best.send_at,
                "variant": variant.variant_id,
                "content": content,
                "messages": (message,),
                "variants": {variant.variant_id: 1.0},
            }
        )

    def _write(self, variant: Variant) -> Content:
        """The variant's own text that needs no facts: nobody reads the oracle's."""
        found = self.words.get(variant.variant_id)
        if found is not None:
            return found
        content = render(
            variant,
            language="en",
            evidence={},
            first_name=None,
            timezone="UTC",
            settings=self.parts.copy_settings,
        )
        if isinstance(content, Content):
            self.words[variant.variant_id] = content
            return content
        # The library's loader proves that the text without facts fits; this is a bug.
        raise AssertionError(f"variant {variant.variant_id} cannot be filled: {content}")


@dataclass(frozen=True)
class _Best:
    """What is best about one case."""

    channel: Channel
    send_at: datetime
    variant: str


def best_moments(actions: pd.DataFrame, *, n: int) -> pd.DataFrame:
    """The n most valuable moments of each record on each channel."""
    ranked = actions.sort_values("value", ascending=False, kind="stable")
    return ranked.groupby(["record", "channel"], sort=False).head(n)


def _say_nothing(record: Decision) -> Decision:
    """The record of a case in which nothing is sent; a refusal stays one."""
    reason = Reason.NOTHING_CHOSEN if record.send else record.reason
    nothing = (AllowedAction((), None, 1.0, None),)
    return record.model_copy(
        update={
            "send": False,
            "reason": reason,
            "channels": (),
            "send_at": None,
            "variant": None,
            "content": None,
            "messages": (),
            "propensity": 1.0,
            "allowed": nothing,
            "variants": {},
            "scores": None,
        }
    )


@dataclass
class AmendingStore:
    """A store that keeps other decisions than those it is given.

    Attributes:
        store: Where records are kept.
        amend: What is kept instead.
        kept: Everything that was kept, in order.
    """

    store: Store
    amend: Choose
    kept: list[Decision] = field(default_factory=list)

    @contextmanager
    def transaction(self) -> Iterator[DecisionSession]:
        """A transaction of the store whose new decisions are amended."""
        with self.store.transaction() as session:
            yield _AmendingSession(session, self)

    def close(self) -> None:
        """Give back what the store holds."""
        self.store.close()


@dataclass(frozen=True)
class _AmendingSession:
    """A session that amends new decisions, and is the other's in everything else."""

    session: StoreSession
    owner: AmendingStore

    @property
    def online(self) -> OnlineSession | None:
        """No states: the oracle decides by the morning's tables."""
        return None

    def find_by_keys(self, requests: Sequence[DecisionRequest], /) -> dict[str, Decision]:
        """See `DecisionSession`."""
        return self.session.find_by_keys(requests)

    def find_contacts(self, customer_ids: Sequence[str], *, since_us: int) -> list[StoredContact]:
        """See `DecisionSession`."""
        return self.session.find_contacts(customer_ids, since_us=since_us)

    @property
    def ledger(self) -> Ledger | None:
        """None: what the engine chose is not what is sent, so no budget can be kept."""
        return None

    def find_refusals(self, customer_ids: Sequence[str]) -> Refusals:
        """See `DecisionSession`."""
        return self.session.find_refusals(customer_ids)

    def find_incidents(self, customer_ids: Sequence[str], *, since_us: int) -> list[Incident]:
        """See `DecisionSession`."""
        return self.session.find_incidents(customer_ids, since_us=since_us)

    def add_lot(self, lot: DecisionLot, /) -> Kept:
        """Keep what the owner makes of the records."""
        amended = self.owner.amend(list(read_records(lot)))
        requests = [
            DecisionRequest(customer_id=customer_id, trigger=lot.head.trigger, idempotency_key=key)
            for customer_id, key in zip(lot.customer_ids, lot.keys, strict=True)
        ]
        self.session.add_decisions(amended, requests)
        self.owner.kept += amended
        return Kept()

    def add_outcomes(
        self, events: Sequence[OutcomeEvent], *, now_us: int | None = None
    ) -> list[OutcomeState]:
        """See `DecisionSession`."""
        return self.session.add_outcomes(events, now_us=now_us)
