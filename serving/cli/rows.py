"""Rows of a benchmark or a rehearsal, for people or in the one shape that programs compare."""

import math
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from serving.cli.output import Json, show_json, show_table
from training.benchmarks.rows import BenchRow, write_figure


def show_rows(name: str, rows: Sequence[BenchRow], *, as_json: bool) -> None:
    """Show what was measured; standard output."""
    if as_json:
        described: list[Json] = [_describe(row) for row in rows]
        machine: Json = {"cores": os.cpu_count() or 0, "platform": sys.platform}
        show_json(
            {"bench": name, "version": version("opportune"), "machine": machine, "rows": described}
        )
        return
    header = ("case", "metric", "ours", "interval", "reference", "of", "ratio", "n")
    show_table(header, [_cells(row) for row in rows])


def _describe(row: BenchRow) -> Json:
    return {
        "case": row.case,
        "metric": row.metric,
        "ours": _finite(row.ours),
        "low": _finite(row.low),
        "high": _finite(row.high),
        "reference": _finite(row.reference),
        "reference_name": row.reference_name,
        "ratio": _finite(row.ratio),
        "unit": row.unit,
        "n": row.n,
    }


def _finite(number: float | None) -> float | None:
    """JSON knows no NaN: a figure that cannot be had is null."""
    return number if number is not None and math.isfinite(number) else None


def _cells(row: BenchRow) -> tuple[str, ...]:
    unit = "" if row.unit == "1" or not math.isfinite(row.ours) else f" {row.unit}"
    interval = (
        ""
        if row.low is None or row.high is None
        else f"[{write_figure(row.low)}, {write_figure(row.high)}]"
    )
    return (
        row.case,
        row.metric,
        f"{write_figure(row.ours)}{unit}",
        interval,
        "" if row.reference is None else write_figure(row.reference),
        row.reference_name or "",
        "" if row.ratio is None or math.isnan(row.ratio) else f"{row.ratio:.3g}",
        f"{row.n:,}",
    )
