"""Polars by hand: one lazy query, run by its streaming engine."""

from pathlib import Path
from typing import Final

import polars as pl

from training.benchmarks.features.generate import ZONES
from training.benchmarks.features.rivals.clocks import list_offsets
from training.benchmarks.features.rivals.columns import COLUMNS, COUNTED, WINDOWS

_DAY: Final = 86_400_000_000
_HOUR: Final = 3_600_000_000


def compute(folder: Path, spine: Path, out: Path) -> None:
    """Write every feature of every row of the spine.

    Args:
        folder: A parquet file per table.
        spine: Parquet of customer_id and as_of.
        out: Parquet of them and the features.
    """
    moments = _read_spine(spine)
    parts = (
        _activity(folder, moments),
        _orders(folder, moments),
        _tickets(folder, moments),
        _invoices(folder, moments),
        _surveys(folder, moments),
        _messages(folder, moments),
        _outcomes(folder, moments),
    )
    joined = moments
    for part in parts:
        joined = joined.join(part, on="row_id", how="left")
    _finish(joined).sink_parquet(out, engine="streaming")


def _read_spine(spine: Path) -> pl.LazyFrame:
    c = pl.col("as_of").dt.epoch("us")
    return pl.scan_parquet(spine).with_row_index("row_id").with_columns(c=c, midnight=c - c % _DAY)


def _known(events: pl.LazyFrame, moments: pl.LazyFrame, *, days: int | None = None) -> pl.LazyFrame:
    """Moments with the rows that were known before them, the last `days` only."""
    known = moments.select("row_id", "customer_id", "c", "midnight").join(events, on="customer_id")
    known = known.filter(pl.col("t") < pl.col("c"))
    return known if days is None else known.filter(_within(days))


def _within(days: int) -> pl.Expr:
    return pl.col("t") >= pl.col("midnight") - days * _DAY


def _us(column: str) -> pl.Expr:
    return pl.col(column).dt.epoch("us")


def _activity(folder: Path, moments: pl.LazyFrame) -> pl.LazyFrame:
    kind, t = pl.col("kind"), pl.col("t")
    begins = pl.col("midnight") - 84 * _DAY
    zones = pl.scan_parquet(folder / "customers.parquet").select("customer_id", "timezone")
    events = (
        pl.scan_parquet(folder / "activity.parquet")
        .select("customer_id", "kind", "value", "item", t=_us("at"))
        .join(zones, on="customer_id")
        .with_columns(hour=(t + _ahead() + 3 * _DAY) // _HOUR % 168)
        .drop("timezone")
    )
    counts = {
        f"{name}_{days}d": ((kind == of) & _within(days)).sum()
        for name, of in COUNTED.items()
        for days in WINDOWS
    }
    weight = 2 * ((t - begins) // (7 * _DAY)) - 11
    in_weeks = (t >= begins) & (t < pl.col("midnight"))
    used = pl.col("item").filter((kind == "feature_use") & _within(30))
    return (
        _known(events, moments)
        .group_by("row_id")
        .agg(
            **counts,
            activity_90d=_within(90).sum(),
            logins_60d_before=((kind == "login") & _within(90) & ~_within(30)).sum(),
            weighed=pl.when(in_weeks).then(weight).otherwise(0).sum(),
            last_login=t.filter(kind == "login").max(),
            last_activity=t.max(),
            features_used_30d=used.n_unique(),
            session_minutes_30d=pl.col("value").filter((kind == "session") & _within(30)).mean(),
            evening_activity_90d=((pl.col("hour") % 24 >= 18) & _within(90)).sum(),
            weekend_activity_90d=((pl.col("hour") >= 120) & _within(90)).sum(),
        )
    )


def _ahead() -> pl.Expr:
    """Microseconds that the customer's clock is ahead of UTC."""
    zone, t = pl.col("timezone"), pl.col("t")
    ahead = pl.lit(None, dtype=pl.Int64)
    for name, changes in list_offsets(ZONES).items():
        of_zone = pl.lit(changes[0][1], dtype=pl.Int64)
        for begins, offset in changes[1:]:
            of_zone = pl.when(t >= begins).then(pl.lit(offset, dtype=pl.Int64)).otherwise(of_zone)
        ahead = pl.when(zone == name).then(of_zone).otherwise(ahead)
    return ahead


def _orders(folder: Path, moments: pl.LazyFrame) -> pl.LazyFrame:
    orders = pl.scan_parquet(folder / "orders.parquet")
    orders = orders.select("customer_id", "amount_cents", t=_us("ordered_at"))
    cents = pl.col("amount_cents").filter(_within(90)).sum()
    known = _known(orders, moments).group_by("row_id")
    return known.agg(order_cents_90d=cents, last_order=pl.col("t").max())


def _tickets(folder: Path, moments: pl.LazyFrame) -> pl.LazyFrame:
    tickets = pl.scan_parquet(folder / "tickets.parquet")
    tickets = tickets.select("customer_id", t=_us("opened_at"))
    known = _known(tickets, moments).group_by("row_id")
    return known.agg(tickets_90d=_within(90).sum(), last_ticket=pl.col("t").max())


def _invoices(folder: Path, moments: pl.LazyFrame) -> pl.LazyFrame:
    invoices = pl.scan_parquet(folder / "invoices.parquet")
    invoices = invoices.select(
        "customer_id", t=_us("issued_at"), due=_us("due_at"), paid=_us("paid_at")
    )
    paid, due, c = pl.col("paid"), pl.col("due"), pl.col("c")
    late = (due < c) & (paid.is_null() | (paid >= c) | (paid > due))
    known = _known(invoices, moments, days=90).filter(late)
    return known.group_by("row_id").agg(invoices_late_90d=pl.len())


def _surveys(folder: Path, moments: pl.LazyFrame) -> pl.LazyFrame:
    surveys = pl.scan_parquet(folder / "surveys.parquet").select("customer_id", "nps", t=_us("at"))
    # One number that is larger for a later answer, and for a better one at the same moment.
    latest = (pl.col("t") * 16 + pl.col("nps")).max() % 16
    return _known(surveys, moments).group_by("row_id").agg(nps=latest)


def _messages(folder: Path, moments: pl.LazyFrame) -> pl.LazyFrame:
    messages = pl.scan_parquet(folder / "messages.parquet").select("customer_id", t=_us("sent_at"))
    return _known(messages, moments, days=90).group_by("row_id").agg(messages_90d=pl.len())


def _outcomes(folder: Path, moments: pl.LazyFrame) -> pl.LazyFrame:
    messages = pl.scan_parquet(folder / "messages.parquet")
    first = (
        pl.scan_parquet(folder / "outcomes.parquet")
        .filter(~pl.col("machine") & pl.col("outcome").is_in(["opened", "clicked"]))
        .select("message_id", "outcome", "at")
        .join(messages.select("message_id", "customer_id", "sent_at"), on="message_id")
        .with_columns(t=pl.max_horizontal(_us("at"), _us("sent_at")))
        .group_by("message_id", "outcome")
        .agg(pl.col("customer_id").first(), pl.col("t").min())
    )
    known = _known(first, moments, days=90).group_by("row_id")
    outcome = pl.col("outcome")
    return known.agg(
        opened_90d=(outcome == "opened").sum(), clicked_90d=(outcome == "clicked").sum()
    )


def _finish(joined: pl.LazyFrame) -> pl.LazyFrame:
    counts = [name for name in COLUMNS if name in joined.collect_schema() and name not in _NULLABLE]
    as_numbers = [pl.col(name).fill_null(0).cast(pl.Float64) for name in counts]
    filled = joined.with_columns(*as_numbers, pl.col("nps").cast(pl.Float64))
    activity, before = pl.col("activity_90d"), pl.col("logins_60d_before")
    opened, sent = pl.col("opened_90d"), pl.col("messages_90d")
    shares = {
        "login_trend": pl.when(before > 0).then(2.0 * pl.col("logins_30d") / before),
        "activity_slope_12w": pl.col("weighed").fill_null(0) / 286.0,
        "evening_share_90d": pl.when(activity > 0).then(pl.col("evening_activity_90d") / activity),
        "weekend_share_90d": pl.when(activity > 0).then(pl.col("weekend_activity_90d") / activity),
        "opened_share_90d": pl.when(sent > 0).then(pl.min_horizontal(opened / sent, 1.0)),
    }
    recencies = {
        f"days_since_{name}": (pl.col("c") - pl.col(name)) / float(_DAY)
        for name in ("last_login", "last_activity", "last_order", "last_ticket")
    }
    return filled.with_columns(**shares, **recencies).select(COLUMNS)


_NULLABLE: Final = frozenset({"customer_id", "as_of", "nps", "session_minutes_30d"})
