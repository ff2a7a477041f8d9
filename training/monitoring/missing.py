"""Data that stopped coming: features that became null, tables that fell silent or thin."""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
from pydantic import BaseModel, ConfigDict

from features.contracts import CONTRACTS
from features.tables import Tables, find_known
from training.datasets.provenance import Moments, to_moments
from training.datasets.split import to_datetime
from training.measures import Floats
from training.monitoring.columns import ColumnProfile
from training.monitoring.periods import BLOCK_DAYS, N_REFERENCE_BLOCKS, find_blocks, to_utc64
from training.monitoring.status import Finding, Status, grade

WATCH_NULLS, ALARM_NULLS = 0.05, 0.15
_FEW_ROWS = 50.0
_SIGMAS = 4.0


class TableProfile(BaseModel):
    """How a table used to grow while the model was made.

    Attributes:
        name: The table.
        rows_per_block: Rows of each block of two weeks, the last first.
        longest_gap_days: Longest time between two rows in all of these blocks.
        began_at: Moment of the first row of all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    rows_per_block: tuple[int, ...]
    longest_gap_days: float
    began_at: datetime


def profile_tables(
    tables: Tables, *, names: Iterable[str], until: datetime
) -> tuple[TableProfile, ...]:
    """How these tables grew in the sixteen weeks before the moment; empty ones are left out."""
    profiles = []
    for name in names:
        known = _read_known(tables, name, until=until)
        if not len(known):
            continue
        blocks = find_blocks(known, until=until)
        began = min(int(blocks.max()) + 1, N_REFERENCE_BLOCKS)
        older = known[blocks >= began]
        parts = (older.max(keepdims=True) if len(older) else older, known[blocks < began])
        ends = np.append(np.sort(np.concatenate(parts)), to_utc64(until))
        profiles.append(
            TableProfile(
                name=name,
                rows_per_block=tuple(np.bincount(blocks[blocks < began], minlength=began).tolist()),
                longest_gap_days=float((np.diff(ends) / np.timedelta64(1, "D")).max(initial=0.0)),
                began_at=to_datetime(known.min()),
            )
        )
    return tuple(profiles)


def find_silence(profile: TableProfile, tables: Tables, *, as_of: datetime) -> Finding:
    """Whether the last row of a table is older than a gap of it ever was."""
    known = _read_known(tables, profile.name, until=as_of)
    watch_from = max(1.0, 1.5 * profile.longest_gap_days)
    alarm_from = max(2.0, 3.0 * profile.longest_gap_days)
    if not len(known):
        return Finding(
            subject=profile.name,
            status=Status.ALARM,
            value=float("inf"),
            watch_from=watch_from,
            alarm_from=alarm_from,
            words=f"table {profile.name} has no row, and it had some when the model was made",
            unit="days",
        )
    now = to_utc64(as_of)
    age = float((now - known.max()) / np.timedelta64(1, "D"))
    return Finding(
        subject=profile.name,
        status=grade(age, watch_from=watch_from, alarm_from=alarm_from),
        value=age,
        watch_from=watch_from,
        alarm_from=alarm_from,
        words=f"the last row of {profile.name} is {age:.1f} days old; in training the longest gap "
        f"between two was {profile.longest_gap_days:.1f}",
        unit="days",
    )


def find_thinning(profile: TableProfile, tables: Tables, *, as_of: datetime) -> Finding | None:
    """Whether a table brought far fewer rows in two weeks than it used to; None for small ones."""
    usual = np.array(profile.rows_per_block, dtype=np.float64)
    if len(usual) < 3 or usual.min() < _FEW_ROWS:
        return None
    known = _read_known(tables, profile.name, until=as_of)
    n_now = int((find_blocks(known, until=as_of) == 0).sum())
    middle = float(np.median(usual))
    lost = 1.0 - n_now / middle
    # More than the leanest block lacked, and more than a Poisson count lacks by chance.
    leanest, chance = 1.0 - float(usual.min()) / middle, 1.0 / float(np.sqrt(middle))
    watch_from = max(0.25, 1.5 * leanest, 3.5 * chance)
    alarm_from = max(0.5, 2.0 * leanest, 6.0 * chance)
    return Finding(
        subject=f"{profile.name}: rows",
        status=grade(lost, watch_from=watch_from, alarm_from=alarm_from),
        value=lost,
        watch_from=watch_from,
        alarm_from=alarm_from,
        words=f"{n_now:,} rows of {profile.name} in {BLOCK_DAYS} days; {middle:,.0f} "
        "were usual in training",
        unit="of the rows",
    )


def find_nulls(profile: ColumnProfile, values: Floats, *, stretched: float) -> Finding:
    """Whether a feature is null more often than it was in any block of the training.

    Args:
        profile: The feature as it was.
        values: As it is now, (n,).
        stretched: See `periods.stretch`.
    """
    now = float(np.isnan(values).mean()) if len(values) else 1.0
    before, most = profile.null_share, profile.usual_null_shares[1]
    noise = _SIGMAS * np.sqrt(max(before * (1 - before), 1e-4) / max(len(values), 1))
    usual = (most - before) * np.sqrt(stretched) + float(noise)
    more = max(0.0, now - before)
    watch_from, alarm_from = max(WATCH_NULLS, usual), max(ALARM_NULLS, 2.0 * usual)
    return Finding(
        subject=profile.name,
        status=grade(more, watch_from=watch_from, alarm_from=alarm_from),
        value=more,
        watch_from=watch_from,
        alarm_from=alarm_from,
        words=f"{profile.name} is unknown in {now:.1%} of rows; {before:.1%} in training",
        unit="of the rows",
    )


def _read_known(tables: Tables, name: str, *, until: datetime) -> Moments:
    """When each row of a table became known, those before the moment, (n,)."""
    if name not in tables or name not in CONTRACTS or not CONTRACTS[name].moment:
        return np.empty(0, dtype="datetime64[us]")
    known = to_moments(find_known(tables[name], CONTRACTS[name]))
    before: Moments = known[known < to_utc64(until)]
    return before
