"""Daily tiles and hours of the week of many customers at once, as their states keep them."""

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np

from features.codes import hash_short
from features.conditions import N_WEEK_HOURS
from features.contracts import EVENT_ID
from features.declarations import read_kinds
from features.online.conditions import to_millionths_each
from features.online.held import HeldRows, OwnedRows, Places, ask_rows, read_column
from features.online.hours import OLDEST, HourCounts, find_era, half_life_of
from features.online.layout import Layout
from features.online.lenses import Floats, Whole
from features.online.measures import Measure, Take
from features.online.tile_plan import TileBlock, TilePlan
from features.online.tile_writer import hash_event
from features.online.tiles import BEFORE, Block, Tiles, find_anchor
from features.point_in_time.spine import MICROS_PER_DAY


def replay_tiles(
    lot: Mapping[str, OwnedRows], *, plan: TilePlan, n_customers: int, before_us: int
) -> Iterator[Tiles]:
    """The tiles of each customer, in the order of the customers."""
    own = {name: lot[name] for name in plan.tables if name in lot}
    anchor = find_anchor(plan, known_us=before_us)
    codes, days = _find_lines(own, anchor=anchor, n_customers=n_customers)
    by_day = Block.empty(plan.days, n_lines=len(codes))
    ever = Block.empty(plan.ever, n_lines=n_customers)
    distinct: list[list[dict[float, int]]] = [
        [{} for _ in range(n_customers)] for _ in plan.days.distinct
    ]
    distinct_ever = [[set[float]() for _ in range(n_customers)] for _ in plan.ever.distinct]
    seen: list[dict[int, int]] = [{} for _ in range(n_customers)]
    width = np.int64(2**32)
    lines = codes * width + (days - BEFORE)
    for name, owned in own.items():
        day = np.maximum(owned.rows.t // MICROS_PER_DAY, anchor - 1)
        day = np.where(day < anchor, BEFORE, day)
        line = np.searchsorted(lines, owned.codes * width + (day - BEFORE))
        _add(by_day, plan.days, name, owned.rows, line)
        _add(ever, plan.ever, name, owned.rows, owned.codes)
        bits = np.maximum(owned.rows.t // MICROS_PER_DAY - anchor + 1, 0)
        for column, code, value, bit in _find_values(plan.days, name, owned, bits):
            days_of = distinct[column][code]
            days_of[value] = days_of.get(value, 0) | 1 << bit
        for column, code, value, _ in _find_values(plan.ever, name, owned, bits):
            distinct_ever[column][code].add(value)
        _remember(seen, name, owned, since=anchor - 1)
    ends = np.searchsorted(codes, np.arange(n_customers + 1)).tolist()
    for code, (begin, end) in enumerate(pairwise(ends)):
        yield Tiles(
            days=days[begin:end].copy(),
            by_day=by_day.take(np.arange(begin, end)),
            ever=ever.take(np.array([code])),
            distinct=[values[code] for values in distinct],
            distinct_ever=[values[code] for values in distinct_ever],
            anchor=anchor,
            seen=seen[code],
        )


def replay_hours(
    lot: Mapping[str, OwnedRows], *, layout: Layout, n_customers: int
) -> Iterator[HourCounts]:
    """The hours of the week of each customer, in the order of the customers."""
    half_life_days = half_life_of(layout.histogram)
    counted = []
    for name, source in layout.hour_sources.items():
        if name in lot:
            rows, codes = lot[name].rows, lot[name].codes
            counts = ask_rows(source.where, rows) & ~np.isnan(rows.week_hour)
            counted.append((codes[counts], rows.week_hour[counts], rows.t[counts]))
    hours = np.zeros((n_customers, N_WEEK_HOURS))
    eras = [find_era(int(t.max()), half_life_days=half_life_days) for _, _, t in counted if len(t)]
    latest = max(eras, default=0)
    for codes, hour, t in counted:
        age = np.zeros(len(t), dtype=np.int64)
        if half_life_days is not None:
            age = latest - t // (half_life_days * MICROS_PER_DAY)
        weights = np.where(age <= OLDEST, np.ldexp(1.0, -np.minimum(age, OLDEST)), 0.0)
        np.add.at(hours, (codes, hour.astype(np.int64)), weights)
    for own in hours:
        yield HourCounts(latest, own.copy())


def _find_lines(
    own: Mapping[str, OwnedRows], *, anchor: int, n_customers: int
) -> tuple[Places, Whole]:
    """Customer and day of every tile, sorted; each customer has that of all days before."""
    width = np.int64(2**32)
    lines = [np.arange(n_customers, dtype=np.int64) * width]
    for owned in own.values():
        day = owned.rows.t // MICROS_PER_DAY
        told_apart = day >= anchor
        lines.append(np.unique(owned.codes[told_apart] * width + (day[told_apart] - BEFORE)))
    every = np.unique(np.concatenate(lines))
    return every // width, every % width + BEFORE


def _add(block: Block, plan: TileBlock, name: str, rows: HeldRows, line: Places) -> None:
    kinds = read_kinds(name)
    for column, measure in enumerate(plan.sums):
        if measure.table == name:
            counts = ask_rows(measure.where, rows)
            numbers = _count_or_read(measure, rows)[counts]
            block.sums[:, column] += np.bincount(
                line[counts], weights=numbers, minlength=len(block.sums)
            )
    for column, measure in enumerate(plan.ends):
        if measure.table != name:
            continue
        counts = ask_rows(measure.where, rows)
        if measure.take is Take.LEAST:
            numbers = read_column(measure.value or "", rows, kinds=kinds)
            counts = counts & ~np.isnan(numbers)
            np.maximum.at(block.times[:, column], line[counts], -numbers[counts])
            continue
        at, t = line[counts], rows.t[counts].astype(np.float64)
        if measure.take is Take.FIRST:
            t = -t
        np.maximum.at(block.times[:, column], at, t)
        if measure.take is Take.HOLDS:
            values = ask_rows(measure.holds, rows)[counts].astype(np.float64)
        elif measure.value is not None:
            values = read_column(measure.value, rows, kinds=kinds)[counts]
        else:
            continue
        latest = t == block.times[at, column]
        np.fmax.at(block.values[:, column], at[latest], values[latest])


def _count_or_read(measure: Measure, rows: HeldRows) -> Floats:
    if measure.value is None:
        return np.ones(len(rows.t))
    numbers = read_column(measure.value, rows, kinds=read_kinds(measure.table))
    present = ~np.isnan(numbers)
    if measure.take is Take.PRESENT:
        return present.astype(np.float64)
    if measure.in_millionths:
        numbers = to_millionths_each(numbers)
    return np.where(present, numbers, 0.0)


def _find_values(
    plan: TileBlock, name: str, owned: OwnedRows, bits: Whole
) -> Iterator[tuple[int, int, float, int]]:
    """Column, customer, value and day's bit of all values, each once."""
    for column, measure in enumerate(plan.distinct):
        if measure.table != name:
            continue
        texts = owned.rows.frame[measure.value]
        counts = ask_rows(measure.where, owned.rows) & texts.notna().to_numpy()
        codes, names = texts.loc[counts].factorize()
        hashes = np.array([hash_short(str(text)) for text in names])
        found = np.stack([owned.codes[counts], codes, bits[counts]])
        for code, value, bit in np.unique(found, axis=1).T.tolist():
            yield column, code, float(hashes[value]), bit


def _remember(seen: list[dict[int, int]], name: str, owned: OwnedRows, *, since: int) -> None:
    if EVENT_ID not in owned.rows.frame:
        return
    ids = owned.rows.frame[EVENT_ID]
    told = owned.rows.k // MICROS_PER_DAY
    counts = ids.notna().to_numpy() & (told >= since)
    for code, event_id, day in zip(
        owned.codes[counts].tolist(), ids.loc[counts], told[counts].tolist(), strict=True
    ):
        seen[code][hash_event(name, event_id)] = day
