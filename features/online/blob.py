"""A customer's state as bytes and back: compact, versioned, and refused by another layout."""

import json
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.conditions import N_WEEK_HOURS
from features.errors import BadInputError, IncompatibleModelError
from features.online.columns import ColumnReader, ColumnWriter
from features.online.facts import Fact
from features.online.hours import HourCounts
from features.online.layout import Layout
from features.online.lenses import Floats
from features.online.row_plan import RowPlan
from features.online.rows import RowList, n_bytes
from features.online.tile_plan import TileBlock
from features.online.tiles import Block, Tiles

_MAGIC: Final = b"OPPSTATE"
_N_DIGEST: Final = 16


@dataclass(frozen=True, slots=True)
class Parts:
    """What a state consists of; see `features.online.state.CustomerState`."""

    customer_id: str
    known_us: int
    timezone: str | None
    waiting: tuple[Fact, ...]
    rows: RowList
    tiles: Tiles
    hour_counts: HourCounts


def write_parts(parts: Parts, *, layout: Layout) -> bytes:
    """The parts as bytes; no pickle."""
    writer = ColumnWriter()
    head = {
        "customer_id": parts.customer_id,
        "known_us": parts.known_us,
        "timezone": parts.timezone,
        "anchor": parts.tiles.anchor,
        "era": parts.hour_counts.era,
        "waiting": [[fact.table, fact.known_us, dict(fact.row)] for fact in parts.waiting],
    }
    writer.write_raw(json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode())
    _write_rows(writer, parts.rows, layout.rows)
    _write_tiles(writer, parts.tiles)
    _write_hours(writer, parts.hour_counts)
    return _MAGIC + layout.digest.encode() + writer.to_bytes()


def read_parts(blob: bytes, *, layout: Layout) -> Parts:
    """The parts of these bytes.

    Raises:
        IncompatibleModelError: Another layout made them; they must be made anew, by replay.
        BadInputError: They are not the bytes of a state.
    """
    start = len(_MAGIC) + _N_DIGEST
    if blob[: len(_MAGIC)] != _MAGIC or len(blob) < start:
        raise BadInputError(f"{len(blob)} bytes that are no stored state of a customer")
    digest = blob[len(_MAGIC) : start].decode(errors="replace")
    if digest != layout.digest:
        raise IncompatibleModelError(
            f"a stored state was made by layout {digest}, the running one is {layout.digest}: "
            "make it anew from the tables"
        )
    reader = ColumnReader(blob, start=start)
    head = json.loads(reader.read_raw())
    return Parts(
        customer_id=head["customer_id"],
        known_us=head["known_us"],
        timezone=head["timezone"],
        waiting=tuple(Fact(table, row, known_us) for table, known_us, row in head["waiting"]),
        rows=_read_rows(reader, layout.rows),
        tiles=_read_tiles(reader, layout, anchor=head["anchor"]),
        hour_counts=_read_hours(reader, era=head["era"]),
    )


def _write_rows(writer: ColumnWriter, rows: RowList, plan: RowPlan) -> None:
    """Table by table, so that each slot finds the type of its own column."""
    order = np.argsort(rows.tables[: rows.n], kind="stable")
    counts = np.bincount(rows.tables[: rows.n], minlength=len(plan.tables))
    writer.write_whole(counts.astype(np.float64))
    writer.write_whole(rows.t[order])
    writer.write_raw(rows.keys[order].tobytes())
    writer.write_raw(rows.marks[order].tobytes())
    slots, tables = rows.slots[order], rows.tables[order]
    for table in plan.tables.values():
        begin, end = np.searchsorted(tables, [table.number, table.number + 1])
        if begin < end:
            for n in range(len(table.slots)):
                writer.write_numbers(slots[begin:end, n])


def _read_rows(reader: ColumnReader, plan: RowPlan) -> RowList:
    counts = reader.read().astype(np.int64)
    t = reader.read()
    keys = np.frombuffer(reader.read_raw(), dtype=np.uint64).copy()
    marks = np.frombuffer(reader.read_raw(), dtype=np.uint8).copy()
    slots = np.full((len(t), plan.n_slots), np.nan)
    begin = 0
    for table, count in zip(plan.tables.values(), counts.tolist(), strict=True):
        if count:
            for n in range(len(table.slots)):
                slots[begin : begin + count, n] = reader.read()
        begin += count
    return RowList(
        tables=np.repeat(np.arange(len(counts), dtype=np.uint8), counts),
        keys=keys,
        t=t,
        marks=marks.reshape(len(t), n_bytes(plan)),
        slots=slots,
    )


def _write_tiles(writer: ColumnWriter, tiles: Tiles) -> None:
    writer.write_whole(tiles.days[1 : tiles.n].astype(np.float64))
    for block, n in ((tiles.by_day, tiles.n), (tiles.ever, 1)):
        for column in block.sums[:n].T:
            writer.write_whole(column)
        for columns in (block.times, block.values):
            for column in columns[:n].T:
                writer.write_numbers(column)
    for days in tiles.distinct:
        _write_values(writer, list(days))
        width = max((bits.bit_length() + 7) // 8 for bits in days.values()) if days else 0
        writer.write_raw(b"".join(bits.to_bytes(width, "little") for bits in days.values()))
    for values in tiles.distinct_ever:
        _write_values(writer, list(values))
    writer.write_raw(np.array(list(tiles.seen), dtype=np.uint64).tobytes())
    writer.write_whole(np.array(list(tiles.seen.values()), dtype=np.float64))


def _read_tiles(reader: ColumnReader, layout: Layout, *, anchor: int) -> Tiles:
    plan, empty = layout.tiles, Tiles.empty(layout.tiles)
    days = np.concatenate([empty.days, reader.read().astype(np.int64)])
    by_day = _read_block(reader, plan.days, n=len(days))
    ever = _read_block(reader, plan.ever, n=1)
    distinct = []
    for _ in plan.days.distinct:
        values, bits = reader.read().tolist(), reader.read_raw()
        width = len(bits) // max(len(values), 1)
        parts = [bits[n * width : (n + 1) * width] for n in range(len(values))]
        found = (int.from_bytes(part, "little") for part in parts)
        distinct.append(dict(zip(values, found, strict=True)))
    distinct_ever = [set(reader.read().tolist()) for _ in plan.ever.distinct]
    keys = np.frombuffer(reader.read_raw(), dtype=np.uint64).tolist()
    told = reader.read().astype(np.int64).tolist()
    return Tiles(
        days=days,
        by_day=by_day,
        ever=ever,
        distinct=distinct,
        distinct_ever=distinct_ever,
        anchor=anchor,
        seen=dict(zip(keys, told, strict=True)),
    )


def _read_block(reader: ColumnReader, plan: TileBlock, *, n: int) -> Block:
    block = Block.empty(plan, n_lines=n)
    for columns in (block.sums, block.times, block.values):
        for column in range(columns.shape[1]):
            columns[:, column] = reader.read()
    return block


def _write_values(writer: ColumnWriter, values: list[float]) -> None:
    writer.write_whole(np.array(values, dtype=np.float64))


def _write_hours(writer: ColumnWriter, hours: HourCounts) -> None:
    seen = hours.counts != 0.0
    writer.write_raw(np.packbits(seen).tobytes())
    writer.write_numbers(hours.counts[seen])


def _read_hours(reader: ColumnReader, *, era: int) -> HourCounts:
    bits = np.frombuffer(reader.read_raw(), dtype=np.uint8)
    counts: Floats = np.zeros(N_WEEK_HOURS)
    counts[np.unpackbits(bits, count=N_WEEK_HOURS).astype(bool)] = reader.read()
    return HourCounts(era, counts)
