"""From what happened to the tables of the contracts: collected in codes, decoded when asked for.

Facts arrive as arrays of positions, moments and numbers, some of them about moments yet to come
(a parcel's next scan). When the tables are asked for, the rows that have become known since the
last time are sorted, decoded and appended to the frames that are kept: a daily call is cheap.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from features.contracts import CONTRACTS, Column, Kind, TableContract
from features.errors import BadInputError
from features.tables import empty_table
from training.world.clock import NEVER, Ints, Micros
from training.world.codes import ARMS, CHANNELS, OUTCOMES, TRIGGERS
from training.world.people import places

Codes = npt.NDArray[np.int64]
AnyArray = npt.NDArray[np.generic]

STATUSES = ("active", "canceled")
TOPICS = (*places.TICKET_TOPICS, *TRIGGERS)
"""Topics of tickets; a call about a trigger's problem has the trigger's name."""

_REGION_NAMES = tuple(region.name for region in places.REGIONS)
_CODEBOOKS: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("activity", "kind"): places.ACTIVITY_KINDS,
        ("activity", "item"): (*places.ITEMS, *places.FEATURES),
        ("activity", "location"): places.CITIES,
        ("shipments", "status"): places.SHIPMENT_STATUSES,
        ("subscriptions", "plan"): places.PLANS,
        ("subscriptions", "status"): STATUSES,
        ("tickets", "topic"): TOPICS,
        ("prices", "item"): places.ITEMS,
        ("disruptions", "region"): _REGION_NAMES,
        ("disruptions", "service"): places.SERVICES,
        ("messages", "trigger"): TRIGGERS,
        ("messages", "channel"): CHANNELS,
        ("messages", "arm"): ARMS,
        ("decisions", "trigger"): TRIGGERS,
        ("decisions", "channel"): CHANNELS,
        ("decisions", "arm"): ARMS,
        ("outcomes", "outcome"): OUTCOMES,
        ("inbound", "source"): places.INBOUND_SOURCES,
        ("inbound", "branch"): _REGION_NAMES,
        ("inbound", "text"): places.INBOUND_TEXTS,
    }
)
_PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "order_id": "o",
        "tracking_id": "t",
        "invoice_id": "i",
        "ticket_id": "k",
        "disruption_id": "d",
        "inbound_id": "n",
    }
)
_SORTED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "activity": ("at", "customer_id", "kind", "item"),
        "orders": ("ordered_at", "order_id"),
        "shipments": ("updated_at", "tracking_id"),
        "subscriptions": ("valid_from", "customer_id"),
        "usage": ("at", "customer_id"),
        "invoices": ("issued_at", "invoice_id"),
        "tickets": ("opened_at", "ticket_id"),
        "surveys": ("at", "customer_id", "nps"),
        "prices": ("at", "item"),
        "disruptions": ("starts_at", "disruption_id"),
        "messages": ("sent_at", "message_id"),
        "decisions": ("decided_at", "decision_id"),
        "outcomes": ("at", "message_id", "outcome", "machine"),
        "inbound": ("at", "inbound_id"),
    }
)


def fact_keys(source: int, *, customer: Ints, at: Micros) -> Codes:
    """Keys of facts that a customer can have at most once per source and second.

    Args:
        source: What made the fact, 0..63.
        customer: Positions below 2**24.
        at: Whole seconds.
    """
    keys: Codes = (np.int64(source) << 56) | ((at // 1_000_000) << 24) | customer
    return keys


class Facts:
    """Everything that has happened or is already under way, by table."""

    def __init__(self, customer_ids: list[str]) -> None:
        self._messages: dict[str, int] = {}
        self._decisions: list[str] = []
        self._decided: list[str] = []
        self._texts: dict[str, dict[str, int]] = {"variant": {}, "case_key": {}}
        self._customer_ids = pa.array(customer_ids, pa.large_string())
        self._waiting: dict[str, list[dict[str, AnyArray]]] = {name: [] for name in _SORTED_BY}
        self._settled: dict[str, pd.DataFrame] = {}
        self._settled_until = -NEVER

    def number_messages(self, message_ids: list[str], decision_ids: list[str]) -> Codes:
        """Positions of new messages in `messages` and `outcomes`.

        Raises:
            BadInputError: An id is taken, or given twice.
        """
        first = len(self._messages)
        taken = [name for name in message_ids if name in self._messages]
        if taken or len(set(message_ids)) < len(message_ids):
            raise BadInputError(f"message_id must be new and unique, {taken[:3]} are taken")
        rows = np.arange(first, first + len(message_ids))
        self._messages.update(zip(message_ids, rows.tolist(), strict=True))
        self._decisions += decision_ids
        return rows

    def number_decisions(self, decision_ids: list[str]) -> Codes:
        """Positions of new decisions in `decisions`."""
        first = len(self._decided)
        self._decided += decision_ids
        return np.arange(first, len(self._decided))

    def number_texts(self, column: str, texts: pd.Series) -> Codes:
        """Positions of variants or case keys, new or known; -1 for null."""
        book = self._texts[column]
        codes, names = pd.factorize(texts)
        known = [book.setdefault(name, len(book)) for name in names]
        return np.array([*known, -1], dtype=np.int64)[codes]

    def add(self, table: str, /, **columns: AnyArray) -> None:
        """Add rows: arrays of one length for every column that is not null throughout."""
        self._waiting[table].append(columns)

    def known(self, until: int, *, now: int) -> dict[str, pd.DataFrame]:
        """Every table but customers and vendors as known strictly before `until`.

        Args:
            until: At most `now`.
            now: Everything that happened before it has been added.
        """
        if now > self._settled_until:
            for name in _SORTED_BY:
                self._settle(name, now)
            self._settled_until = now
        moment = pd.Timestamp(until, unit="us", tz="UTC")
        return {
            name: _as_known(CONTRACTS[name], self._settled[name], moment) for name in _SORTED_BY
        }

    def _settle(self, name: str, now: int) -> None:
        """Move the rows known before `now` from the waiting ones to the frame."""
        if name not in self._settled:
            self._settled[name] = empty_table(name)
        settled = self._settled[name]
        chunks = self._waiting[name]
        if not chunks:
            return
        contract = CONTRACTS[name]
        rows = {c.name: _joined(chunks, c) for c in contract.columns}
        ready = rows[contract.moment].astype(np.int64) < now
        self._waiting[name] = (
            [] if ready.all() else [{column: values[~ready] for column, values in rows.items()}]
        )
        if not ready.any():
            return
        rows = {column: values[ready] for column, values in rows.items()}
        order = np.lexsort([rows[column] for column in reversed(_SORTED_BY[name])])
        frame = pd.DataFrame(
            {c.name: self._decode(name, c, rows[c.name][order]) for c in contract.columns}
        )
        self._settled[name] = (
            pd.concat([settled, frame], ignore_index=True) if len(settled) else frame
        )

    def _decode(self, table: str, column: Column, values: AnyArray) -> pd.Series:
        if column.kind in (Kind.ID, Kind.TEXT):
            return _text_series(self._decode_text(table, column, values.astype(np.int64)))
        if column.kind in (Kind.TIME, Kind.DATE):
            return times_series(values.astype(np.int64))
        if column.kind in (Kind.CENTS, Kind.COUNT):
            return pd.Series(
                pd.arrays.IntegerArray(values.astype(np.int64), mask=np.asarray(values) == -1)
            )
        return pd.Series(values.astype(np.bool_ if column.kind is Kind.FLAG else np.float64))

    def _decode_text(self, table: str, column: Column, codes: Codes) -> pa.Array:
        if column.name == "customer_id":
            return _taken(self._customer_ids, codes)
        if column.name in ("message_id", "decision_id", *self._texts):
            names = self._names(table, column.name)
            texts = [names[code] if code >= 0 else None for code in codes.tolist()]
            return pa.array(texts, pa.large_string())
        if column.name in _PREFIXES:
            prefix = _PREFIXES[column.name]
            texts = [f"{prefix}{code:015x}" if code >= 0 else None for code in codes.tolist()]
            return pa.array(texts, pa.large_string())
        book = _CODEBOOKS.get((table, column.name), ())  # columns that no fact here fills have none
        return _taken(pa.array(book, pa.large_string()), codes)

    def _names(self, table: str, column: str) -> list[str]:
        if column == "decision_id":
            return self._decided if table == "decisions" else self._decisions
        return list(self._messages if column == "message_id" else self._texts[column])


def times_series(micros: Micros) -> pd.Series:
    """Aware times of moments; NEVER is null."""
    stamps = np.where(micros == NEVER, np.iinfo(np.int64).min, micros).view("datetime64[us]")
    return pd.Series(pd.DatetimeIndex(stamps).tz_localize("UTC"))


def coded_series(codes: Codes, book: tuple[str, ...] | list[str]) -> pd.Series:
    """Texts of positions in a book; -1 is null."""
    return _text_series(_taken(pa.array(book, pa.large_string()), codes))


_NULLS: Mapping[Kind, float | int | bool] = MappingProxyType(
    dict.fromkeys(Kind, -1) | {Kind.TIME: NEVER, Kind.DATE: NEVER, Kind.NUMBER: np.nan}
)


def _joined(chunks: list[dict[str, AnyArray]], column: Column) -> AnyArray:
    parts = []
    for chunk in chunks:
        if column.name in chunk:
            parts.append(chunk[column.name])
        else:
            n_rows = len(next(iter(chunk.values())))
            parts.append(np.full(n_rows, _NULLS[column.kind]))
    return np.concatenate(parts)


def _as_known(contract: TableContract, frame: pd.DataFrame, moment: pd.Timestamp) -> pd.DataFrame:
    """Rows known before the moment; what came later than it is null again."""
    seen = frame.iloc[: int(frame[contract.moment].searchsorted(moment))]
    for column in contract.revised:
        seen = seen.assign(**{column: seen[column].where(seen[column] < moment)})
    return seen


def _taken(book: pa.Array, codes: Codes) -> pa.Array:
    return book.take(pa.array(codes, mask=codes < 0))


def _text_series(texts: pa.Array) -> pd.Series:
    return pd.Series(texts.to_pandas(), dtype="str")
