"""pandas by hand: customers as positions, one pass per moment; moments must be few and shared."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from training.benchmarks.features.generate import ZONES
from training.benchmarks.features.rivals.clocks import list_offsets
from training.benchmarks.features.rivals.columns import COLUMNS, COUNTED, WINDOWS

_DAY: Final = 86_400_000_000
_HOUR: Final = 3_600_000_000

_TYPES: Final = {"customer_id": pa.string(), "as_of": pa.timestamp("us", tz="UTC")}

Numbers = npt.NDArray[np.float64]


def compute(folder: Path, spine: Path, out: Path) -> None:
    """Write every feature of every row of the spine.

    Args:
        folder: A parquet file per table.
        spine: Parquet of customer_id and as_of; every moment has all customers.
        out: Parquet of them and the features.
    """
    profiles = _read(folder, "customers", "timezone")
    customers = pd.Index(_read(folder, "customers", "customer_id")["customer_id"])
    moments = sorted(_read(spine.parent, spine.stem, "as_of")["as_of"].unique())
    facts = _Facts(folder, customers, zones=profiles["timezone"].to_numpy())
    ids = pa.array(customers, type=pa.string())
    schema = pa.schema([(name, _TYPES.get(name, pa.float64())) for name in COLUMNS])
    with pq.ParquetWriter(out, schema) as writer:
        for c in moments:
            columns = dict(facts.at(int(c)))
            as_of = pa.array(np.full(len(ids), c)).cast(_TYPES["as_of"])
            # from_pandas: NaN is null.
            numbers = [pa.array(columns[name], from_pandas=True) for name in COLUMNS[2:]]
            writer.write_table(pa.table([ids, as_of, *numbers], schema=schema))


def _read(folder: Path, name: str, *columns: str) -> pd.DataFrame:
    """Columns of a table, times as UTC microseconds, texts as categories."""
    texts = ["customer_id", "message_id", "kind", "item", "timezone", "outcome"]
    rows = pq.read_table(folder / f"{name}.parquet", columns=list(columns), read_dictionary=texts)
    for place, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(place, field.name, rows[field.name].cast(pa.int64()))
    frame: pd.DataFrame = rows.to_pandas()
    return frame


class _Facts:
    """All tables, each row with the position of its customer."""

    def __init__(
        self, folder: Path, customers: pd.Index, *, zones: npt.NDArray[np.object_]
    ) -> None:
        self._n = len(customers)
        self._customers = customers
        self._activity = self._place(
            _read(folder, "activity", "customer_id", "at", "kind", "value", "item")
        )
        self._activity["week_hour"] = _find_hours(self._activity, zones=zones)
        self._orders = self._place(
            _read(folder, "orders", "customer_id", "ordered_at", "amount_cents")
        )
        self._tickets = self._place(_read(folder, "tickets", "customer_id", "opened_at"))
        self._invoices = self._place(
            _read(folder, "invoices", "customer_id", "issued_at", "due_at", "paid_at")
        )
        surveys = self._place(_read(folder, "surveys", "customer_id", "at", "nps"))
        self._surveys = surveys.sort_values(["at", "nps"], kind="stable")
        messages = _read(folder, "messages", "message_id", "customer_id", "sent_at")
        self._firsts = self._place(_find_firsts(folder, messages))
        self._messages = self._place(messages[["customer_id", "sent_at"]])

    def _place(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows with the customer's position instead of the id."""
        ids = rows.pop("customer_id").astype("category").cat
        places = self._customers.get_indexer(ids.categories)
        return rows.assign(customer=places[ids.codes].astype("int32"))

    def at(self, c: int) -> Iterator[tuple[str, Numbers]]:
        """Every feature by name, one number per customer."""
        midnight = c - c % _DAY
        yield from self._of_activity(c, midnight)
        yield from self._of_orders(c, midnight)
        yield from self._of_tickets(c, midnight)
        invoices = _within(self._invoices, "issued_at", midnight - 90 * _DAY, c)
        due, paid = invoices["due_at"], invoices["paid_at"]
        late = (due < c) & (paid.isna() | (paid >= c) | (paid > due))
        yield "invoices_late_90d", self._count(invoices["customer"][late])
        last = _within(self._surveys, "at", None, c).drop_duplicates("customer", keep="last")
        nps = np.full(self._n, np.nan)
        nps[last["customer"]] = last["nps"]
        yield "nps", nps
        yield from self._of_messages(c, midnight)

    def _of_activity(self, c: int, midnight: int) -> Iterator[tuple[str, Numbers]]:
        known = _within(self._activity, "at", None, c)
        kinds = {kind: known[known["kind"] == kind] for kind in COUNTED.values()}
        counts = {
            f"{name}_{days}d": self._count_since(kinds[kind], midnight - days * _DAY)
            for name, kind in COUNTED.items()
            for days in WINDOWS
        }
        yield from counts.items()
        logins = kinds["login"]
        before = counts["logins_90d"] - counts["logins_30d"]
        yield "logins_60d_before", before
        yield "login_trend", 2.0 * _divide(counts["logins_30d"], before)
        weeks = _within(known, "at", midnight - 84 * _DAY, midnight)
        weight = 2 * ((weeks["at"] - midnight + 84 * _DAY) // (7 * _DAY)) - 11
        yield "activity_slope_12w", self._sum(weeks["customer"], weight) / 286.0
        yield "days_since_last_login", self._since(c, logins["customer"], logins["at"])
        yield "days_since_last_activity", self._since(c, known["customer"], known["at"])
        used = _within(kinds["feature_use"], "at", midnight - 30 * _DAY, c)
        used = used[["customer", "item"]].drop_duplicates()
        yield "features_used_30d", self._count(used["customer"])
        sessions = _within(kinds["session"], "at", midnight - 30 * _DAY, c)
        minutes = self._sum(sessions["customer"], sessions["value"])
        yield "session_minutes_30d", _divide(minutes, self._count(sessions["customer"]))
        recent = _within(known, "at", midnight - 90 * _DAY, c)
        total = self._count(recent["customer"])
        evening = self._count(recent["customer"][recent["week_hour"] % 24 >= 18])
        weekend = self._count(recent["customer"][recent["week_hour"] >= 120])
        yield "activity_90d", total
        yield "evening_activity_90d", evening
        yield "evening_share_90d", _divide(evening, total)
        yield "weekend_activity_90d", weekend
        yield "weekend_share_90d", _divide(weekend, total)

    def _of_orders(self, c: int, midnight: int) -> Iterator[tuple[str, Numbers]]:
        known = _within(self._orders, "ordered_at", None, c)
        recent = _within(known, "ordered_at", midnight - 90 * _DAY, c)
        yield "order_cents_90d", self._sum(recent["customer"], recent["amount_cents"])
        yield "days_since_last_order", self._since(c, known["customer"], known["ordered_at"])

    def _of_tickets(self, c: int, midnight: int) -> Iterator[tuple[str, Numbers]]:
        known = _within(self._tickets, "opened_at", None, c)
        recent = _within(known, "opened_at", midnight - 90 * _DAY, c)
        yield "tickets_90d", self._count(recent["customer"])
        yield "days_since_last_ticket", self._since(c, known["customer"], known["opened_at"])

    def _of_messages(self, c: int, midnight: int) -> Iterator[tuple[str, Numbers]]:
        begins = midnight - 90 * _DAY
        sent = self._count(_within(self._messages, "sent_at", begins, c)["customer"])
        firsts = _within(self._firsts, "at", begins, c)
        opened = self._count(firsts["customer"][firsts["outcome"] == "opened"])
        yield "messages_90d", sent
        yield "opened_90d", opened
        yield "opened_share_90d", np.minimum(_divide(opened, sent), 1.0)
        yield "clicked_90d", self._count(firsts["customer"][firsts["outcome"] == "clicked"])

    def _count(self, who: "pd.Series[int]") -> Numbers:
        return np.bincount(who, minlength=self._n).astype(np.float64)

    def _count_since(self, rows: pd.DataFrame, begins: int) -> Numbers:
        return self._count(rows["customer"][rows["at"] >= begins])

    def _sum(self, who: "pd.Series[int]", values: "pd.Series[float]") -> Numbers:
        return np.bincount(who, weights=values, minlength=self._n).astype(np.float64)

    def _since(self, c: int, who: "pd.Series[int]", t: "pd.Series[int]") -> Numbers:
        last = np.full(self._n, np.iinfo(np.int64).min)
        np.maximum.at(last, who.to_numpy(), t.to_numpy())
        days: Numbers = (c - last) / float(_DAY)
        return np.where(last > 0, days, np.nan)


def _within(rows: pd.DataFrame, t: str, begins: int | None, ends: int) -> pd.DataFrame:
    inside = rows[t] < ends
    return rows[inside if begins is None else inside & (rows[t] >= begins)]


def _divide(part: Numbers, whole: Numbers) -> Numbers:
    quotient: Numbers = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return quotient


def _find_hours(activity: pd.DataFrame, *, zones: npt.NDArray[np.object_]) -> npt.NDArray[np.int16]:
    """The hour of the week on the customer's clock."""
    t = activity["at"].to_numpy()
    zone_of = pd.Index(ZONES).get_indexer(pd.Index(zones))[activity["customer"]]
    ahead = np.zeros(len(t), dtype=np.int64)
    for place, changes in enumerate(list_offsets(ZONES).values()):
        rows = np.flatnonzero(zone_of == place)
        begins, offsets = (np.array(side) for side in zip(*changes, strict=True))
        ahead[rows] = offsets[np.searchsorted(begins, t[rows], side="right") - 1]
    return ((t + ahead + 3 * _DAY) // _HOUR % 168).astype(np.int16)


def _find_firsts(folder: Path, messages: pd.DataFrame) -> pd.DataFrame:
    """Messages first opened and first clicked by a human: customer_id, outcome and at."""
    outcomes = _read(folder, "outcomes", "message_id", "outcome", "at", "machine")
    human = outcomes[~outcomes["machine"] & outcomes["outcome"].isin(["opened", "clicked"])]
    ids = pd.Index(messages["message_id"].astype("str"))
    place = ids.get_indexer(pd.Index(human["message_id"].astype("str")))
    at = np.maximum(human["at"].to_numpy(), messages["sent_at"].to_numpy()[place])
    rows = pd.DataFrame({"message": place, "outcome": human["outcome"].to_numpy(), "at": at})
    first = rows.sort_values("at", kind="stable").drop_duplicates(["message", "outcome"])
    customer = messages["customer_id"].iloc[first["message"]].array
    return pd.DataFrame(
        {"customer_id": customer, "outcome": first["outcome"].array, "at": first["at"].array}
    )
