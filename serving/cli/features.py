"""Commands about a moment: features, triggers."""

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from features.churn import CHURN_FEATURES
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build_features, make_spine
from features.triggers import find_triggers
from serving.cli.data import AsOfOption, DataOption, OutFileOption, read_as_of, write_frame
from serving.cli.output import Json, JsonOption, progress, show, show_json, show_table


def features(
    data: DataOption, out: OutFileOption, as_of: AsOfOption = None, as_json: JsonOption = False
) -> None:
    """Build every customer's features as of a moment."""
    with progress(f"building features from {data}"):
        tables, moment = read_as_of(data, as_of)
        spine = make_spine(tables["customers"]["customer_id"], as_of=moment)
        churn = build_features(tables, spine, features=CHURN_FEATURES)
        engagement = build_features(tables, spine, features=ENGAGEMENT_FEATURES)
        fresh = [name for name in ENGAGEMENT_FEATURES.names if name not in churn.columns]
        frame = pd.concat([churn, engagement[fresh]], axis=1)
        write_frame(frame, out)
    if as_json:
        show_json({"out": str(out), "rows": len(frame), "features": len(frame.columns) - 2})
    else:
        n_features = len(frame.columns) - 2
        show(f"{len(frame):,} customers x {n_features} features as of {moment} in {out}")


def triggers(
    data: DataOption,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option("--out", help="Parquet file to write.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Find who should hear what, as of a moment."""
    with progress(f"looking for triggers in {data}"):
        tables, moment = read_as_of(data, as_of)
        found = find_triggers(tables, as_of=moment)
    if out is not None:
        write_frame(found, out)
    counts = found["trigger"].value_counts().sort_index()
    if as_json:
        by_trigger: dict[str, Json] = {str(name): int(n) for name, n in counts.items()}
        show_json({"as_of": moment.isoformat(), "cases": len(found), "by_trigger": by_trigger})
    else:
        rows = [(str(name), f"{n:,}") for name, n in counts.items()]
        show_table(("trigger", "cases"), rows, title=f"{len(found):,} cases as of {moment}")
