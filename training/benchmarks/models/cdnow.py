"""CDNOW: who of 23,570 first customers of early 1997 buys again, foretold at the end of September.

The published cut: 39 weeks are known, the next 39 are foretold. Ours learns from features declared
like any other, at moments every two weeks whose labels (a purchase within the next eight weeks)
are known by the cut; a fifth of the customers stops and calibrates. Beside it recency alone, and
BG/NBD fitted to the same 39 weeks: its P(alive), and its probability of a purchase, which knows
more than P(alive): that is 1 for everybody who bought once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from features.checks import require_valid
from features.declarations import Aggregate, Feature, FeatureSet
from features.declared.account import TENURE
from features.declared.orders import ORDERS
from features.errors import SourceUnreadableError
from features.point_in_time import make_spine
from features.tables import Tables
from features.vocabulary import Channel
from training.benchmarks.models.bg_nbd import Purchases, fit_bg_nbd
from training.benchmarks.models.judging import (
    Part,
    Reference,
    judge_parts,
    make_figure,
    make_row,
    take_median,
)
from training.benchmarks.models.linear_blend import fit_blend, make_gain_row
from training.benchmarks.rows import BenchRow
from training.boosting import LabelledRows, fit_booster
from training.datasets.provenance import build_matrix, sign, to_moments
from training.measures import Bools, Floats, make_auc, make_average_precision

CASE = "cdnow"
FOLDER = "cdnow"
CUT: Final = datetime(1997, 10, 1, tzinfo=UTC)

_FILE = "CDNOW_master.txt.gz"
_SUMMARY = "cdnow_customers_summary.csv"
_HORIZON = timedelta(weeks=8)
_HOLDOUT = timedelta(weeks=39)
_WEEK_MICROS = 7 * 24 * 3600 * 1e6
_FIRST_MOMENT = datetime(1997, 4, 9, tzinfo=UTC)  # every first purchase lies before April
_STEP = timedelta(weeks=2)
_PUBLISHED = {"r": 0.2426, "alpha": 4.4135, "a": 0.7929, "b": 2.4258, "log_likelihood": -9582.43}
_SOURCE = "Fader, Hardie & Lee 2005"

BUYING: Final = FeatureSet(
    "buying",
    (
        TENURE,
        *ORDERS,
        Feature(
            name="orders_ever",
            table="orders",
            aggregate=Aggregate.COUNT,
            unit="orders",
            description="Orders placed so far.",
        ),
        Feature(
            name="order_cents_ever",
            table="orders",
            aggregate=Aggregate.SUM,
            value="amount_cents",
            unit="cents",
            description="Amount of the orders so far.",
        ),
        Feature(
            name="order_cents_mean",
            table="orders",
            aggregate=Aggregate.MEAN,
            value="amount_cents",
            unit="cents",
            null_means="never ordered",
            description="Mean amount of an order.",
        ),
    ),
)
"""What a log of orders tells."""


@dataclass(frozen=True)
class Foretold:
    """Everybody at the cut.

    Attributes:
        labels: Whether they bought again within 39 weeks, (n,).
        ours: Ours, by seed.
        blended: Ours with a linear model beside the trees, by seed.
        others: Scores of the peers by name, (n,); higher buys sooner.
    """

    labels: Bools
    ours: Sequence[Floats]
    blended: Sequence[Floats]
    others: dict[str, Floats]


def bench_cdnow(path: Path, *, seeds: Sequence[int]) -> list[BenchRow]:
    """Ranking of who buys again, paired with each peer; and BG/NBD beside its published fit.

    Args:
        path: Folder of public data; holds `cdnow`.
        seeds: Of the training; figures are medians.

    Raises:
        SourceUnreadableError: A file is missing or cannot be read.
    """
    tables = read_cdnow(path / FOLDER / _FILE)
    told = [_foretell(tables, seed=seed) for seed in seeds]
    foretold = Foretold(
        labels=_buys(tables, list(_everybody(tables)), moment=CUT, within=_HOLDOUT),
        ours=[ours for ours, _ in told],
        blended=[blended for _, blended in told],
        others=_ask_peers(tables),
    )
    return [*_compare(foretold), *_check_bg_nbd(path / FOLDER / _SUMMARY)]


def read_cdnow(path: Path) -> Tables:
    """The master file as customers and orders; purchases of one day are one order."""
    try:
        lines = pd.read_csv(
            path,
            sep=r"\s+",
            skiprows=1,
            header=None,
            names=["id", "day", "cds", "dollars"],
            dtype="str",
        )
        day = pd.to_datetime(lines["day"], format="%Y%m%d", utc=True).dt.as_unit("us")
        cents = (lines["dollars"].astype("float64") * 100).round().astype("int64")
    except (OSError, ValueError) as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
    bought = pd.DataFrame({"customer_id": lines["id"], "ordered_at": day, "amount_cents": cents})
    by_day = bought.groupby(["customer_id", "ordered_at"])["amount_cents"].sum()
    orders = by_day.rename("amount_cents").reset_index()
    orders.insert(0, "order_id", [f"o{n}" for n in range(len(orders))])
    orders["delivered_at"] = orders["ordered_at"]
    first = orders.groupby("customer_id")["ordered_at"].min()
    customers = pd.DataFrame(
        {
            "customer_id": first.index,
            "signed_up_at": first.array,
            "language": "en",
            "timezone": "UTC",
            **{f"consent_{channel}": pd.NA for channel in Channel},
        }
    )
    return require_valid({"customers": customers, "orders": orders})


def summarise_purchases(tables: Tables, *, moment: datetime) -> Purchases:
    """Weekly histories of everybody who bought before the moment, sorted by customer."""
    orders = tables["orders"]
    at = orders.loc[orders["ordered_at"] < moment].groupby("customer_id")["ordered_at"]
    first, last = _to_weeks(at.min()), _to_weeks(at.max())
    now = float(moment.timestamp()) * 1e6 / _WEEK_MICROS
    return Purchases(
        frequency=at.size().to_numpy().astype(np.float64) - 1.0,
        recency=last - first,
        age=now - first,
    )


def _to_weeks(moments: "pd.Series[pd.Timestamp]") -> Floats:
    """Weeks since 1970, (n,)."""
    micros = to_moments(moments).astype(np.int64)
    weeks: Floats = micros / _WEEK_MICROS
    return weeks


def _everybody(tables: Tables) -> "pd.Series[str]":
    ids: pd.Series[str] = tables["customers"]["customer_id"].sort_values(ignore_index=True)
    return ids


def _buys(tables: Tables, ids: Sequence[str], *, moment: datetime, within: timedelta) -> Bools:
    """Whether each customer orders from the moment on until before its end."""
    at = tables["orders"]["ordered_at"]
    buyers = tables["orders"].loc[(at >= moment) & (at < moment + within), "customer_id"]
    return np.isin(np.asarray(ids, dtype=object).astype(str), buyers.to_numpy(str))


def _foretell(tables: Tables, *, seed: int) -> tuple[Floats, Floats]:
    """Probability of a purchase within the horizon after the cut, from what was known at it.

    Returns:
        Ours, (n,), and a score of ours with a linear model beside the trees, (n,).
    """
    ids = _everybody(tables)
    n_steps = (CUT - _HORIZON - _FIRST_MOMENT) // _STEP
    moments = [_FIRST_MOMENT + n * _STEP for n in range(n_steps + 1)]
    spine = pd.concat([make_spine(ids, as_of=moment) for moment in moments], ignore_index=True)
    labels = np.concatenate(
        [_buys(tables, list(ids), moment=moment, within=_HORIZON) for moment in moments]
    )
    X = build_matrix(tables, spine, features=BUYING)
    stops = np.random.default_rng(seed).random(len(ids)) < 0.2
    stopping = np.tile(stops, len(moments))
    train = LabelledRows(X[~stopping], labels[~stopping])
    calibration = LabelledRows(X[stopping], labels[stopping])
    model = fit_booster(
        CASE, signature=sign(BUYING), train=train, calibration=calibration, seed=seed
    ).model
    now = build_matrix(tables, make_spine(ids, as_of=CUT), features=BUYING)
    blend = fit_blend(model, train=train, calibration=calibration, seed=seed)
    return model.predict(now), blend.score(model, now)


def _ask_peers(tables: Tables) -> dict[str, Floats]:
    histories = summarise_purchases(tables, moment=CUT)
    model = fit_bg_nbd(histories)
    return {
        "recency only": histories.recency - histories.age,
        "BG/NBD P(alive)": model.p_alive(histories),
        "BG/NBD P(purchase)": model.p_purchase(histories, within=_HOLDOUT / timedelta(weeks=1)),
    }


_METRICS: Final = {
    "recency only": "recency",
    "BG/NBD P(alive)": "p_alive",
    "BG/NBD P(purchase)": "p_purchase",
}


def _compare(foretold: Foretold) -> list[BenchRow]:
    rows, n = [], len(foretold.ours)
    everybody = np.arange(len(foretold.labels))
    for metric, make in {"average_precision": make_average_precision, "auc": make_auc}.items():
        blended = [
            [Part(everybody, foretold.labels, blend, ours)]
            for blend, ours in zip(foretold.blended, foretold.ours, strict=True)
        ]
        rows.append(make_gain_row(CASE, metric, blended, make=make))
        for name, other in foretold.others.items():
            figures = take_median(
                [
                    judge_parts(
                        [Part(everybody, foretold.labels, ours, other)],
                        make=make,
                        rng=np.random.default_rng(0),
                    )
                    for ours in foretold.ours
                ]
            )
            beside, zero = Reference(figures.other.value, name), Reference(0.0, name)
            short = _METRICS[name]
            rows.append(
                make_row(CASE, f"{metric}_beside_{short}", figures.ours, beside=beside, n=n)
            )
            rows.append(
                make_row(CASE, f"{metric}_gain_{short}", figures.difference, beside=zero, n=n)
            )
    return rows


def _check_bg_nbd(path: Path) -> list[BenchRow]:
    """Our BG/NBD on the published summary beside the published fit."""
    try:
        summary = pd.read_csv(path).astype("float64")
    except (OSError, ValueError) as error:
        raise SourceUnreadableError(f"{path}: cannot be read: {error}") from error
    histories = Purchases(
        *(summary[name].to_numpy(np.float64) for name in ("frequency", "recency", "T"))
    )
    fitted = fit_bg_nbd(histories)
    return [
        make_figure(
            CASE, f"bg_nbd_{name}", getattr(fitted, name), beside=Reference(figure, _SOURCE), n=1
        )
        for name, figure in _PUBLISHED.items()
    ]
