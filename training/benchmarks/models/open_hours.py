"""Hours of real people: e-mail opens (Dito) and shopping (Complete Journey).

Dito's opens carry neither dates nor send times: opens of each recipient are split into two halves
by chance, and one foretells the other. That says how well a personal week is found from few opens,
and nothing about the future or about what sending in an hour brings. Complete Journey is judged
forward in time: the last 30 days.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import BadInputError
from features.sources import read_complete_journey
from features.tables import Tables
from training.benchmarks.rows import BenchRow
from training.datasets.provenance import NotEnoughData
from training.evaluation import Estimate, Judged, mean_difference
from training.registry.servable import N_WEEK_HOURS
from training.send_time import (
    BASELINE,
    CUSTOMER_ONLY,
    Weeks,
    build_send_time_dataset,
    judge_customer_only,
    judge_population,
    judge_send_time,
    train_send_time,
)
from training.send_time.fit import fit_pooled, fit_weeks
from training.send_time.shrinkage import STRENGTHS, choose_shrinkage, start_model

POOLED = "one Dirichlet strength to the population"
_METRICS = {BASELINE: "population", CUSTOMER_ONLY: "customer_only", POOLED: "pooled"}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_BRAZIL_HOURS = -3  # the opens' hours are GMT; Brazil's local time was three hours behind


def bench_open_hours(path: Path, *, seeds: Sequence[int]) -> list[BenchRow]:
    """What a personal week gains over plain guesses, in nats an event, with paired intervals.

    Dito: the median over seeds with the interval of that seed. Complete Journey: the last 30 days.

    Args:
        path: Folder of public data; holds `dito_email_opens`. Complete Journey comes installed.
        seeds: Of the random halves and the bootstrap.

    Raises:
        BadInputError: Complete Journey does not hold enough to train on.
    """
    opens = read_opens(path / "dito_email_opens")
    return [*_compare_opens(opens, seeds=seeds), *_compare_shopping(seed=seeds[0])]


def read_opens(folder: Path) -> pd.DataFrame:
    """Opens by recipient and local hour of the week: `id`, `hour`.

    Files overlap at midnight; what lies outside of its own day is left out.
    """
    days = []
    for position, name in enumerate(_DAYS):
        day = pd.read_csv(folder / f"{name}.csv.gz")
        day = day[(day["time"] >= 0) & (day["time"] < 24)]
        hour = position * 24 + np.floor(day["time"]).astype(np.int64) + _BRAZIL_HOURS
        days.append(pd.DataFrame({"id": day["id"], "hour": hour % N_WEEK_HOURS}))
    return pd.concat(days, ignore_index=True)


def split_opens(opens: pd.DataFrame, *, rng: np.random.Generator) -> tuple[Weeks, Weeks]:
    """Recipients to learn from and recipients to judge on; each one's opens in random halves."""
    codes, recipients = pd.factorize(opens["id"], sort=True)
    is_before = rng.random(len(opens)) < 0.5
    halves = []
    for rows in (is_before, ~is_before):
        counts = np.zeros((len(recipients), N_WEEK_HOURS))
        np.add.at(counts, (codes[rows], opens["hour"].to_numpy()[rows]), 1.0)
        halves.append(counts)
    learns = rng.random(len(recipients)) < 0.5
    ids = np.asarray(recipients, dtype=object)
    learned, judged = (
        Weeks(before=halves[0][mine], after=halves[1][mine], customers=ids[mine])
        for mine in (learns, ~learns)
    )
    return learned, judged


def _compare_opens(opens: pd.DataFrame, *, seeds: Sequence[int]) -> list[BenchRow]:
    gains: dict[str, list[Estimate]] = {}
    for seed in seeds:
        learned, judged = split_opens(opens, rng=np.random.default_rng(seed))
        model = fit_weeks(learned, shrinkage=choose_shrinkage(learned))
        now = start_model(judged, segment_strength=None)
        pooled = fit_pooled(learned, now=now, strengths=STRENGTHS)
        ours = judge_send_time(replace(model, population=now.population), judged)
        others = {
            BASELINE: judge_population(judged),
            CUSTOMER_ONLY: judge_customer_only(judged),
            POOLED: judge_send_time(pooled, judged),
        }
        for name, other in others.items():
            gains.setdefault(name, []).append(_gain(ours, other, judged, seed=seed))
    return [_make_row("dito_email_opens", name, found) for name, found in gains.items()]


def _compare_shopping(*, seed: int) -> list[BenchRow]:
    tables = read_complete_journey().tables
    dataset = build_send_time_dataset(tables, known_until=_end(tables))
    if isinstance(dataset, NotEnoughData):
        raise BadInputError(f"complete_journey: {dataset.reason}")
    trained = train_send_time(dataset, seed=seed)
    losses = {
        BASELINE: trained.over_population,
        CUSTOMER_ONLY: trained.over_customer,
        POOLED: trained.over_pooled,
    }
    return [
        _make_row("complete_journey_hours", name, [_turn(loss)]) for name, loss in losses.items()
    ]


def _end(tables: Tables) -> datetime:
    last: pd.Timestamp = tables["activity"]["at"].max()
    return last.to_pydatetime() + timedelta(microseconds=1)


def _gain(ours: Judged, other: Judged, weeks: Weeks, *, seed: int) -> Estimate:
    rng = np.random.default_rng(seed)
    return mean_difference(other.losses, other=ours.losses, customers=weeks.customers, rng=rng)


def _turn(loss: Estimate) -> Estimate:
    """A gain in log-likelihood from a difference of losses."""
    return Estimate(-loss.value, -loss.high, -loss.low)


def _make_row(case: str, rival: str, gains: Sequence[Estimate]) -> BenchRow:
    """What ours gains over a rival: the median of the runs, with the interval of that run."""
    middle = sorted(gains, key=lambda gain: gain.value)[len(gains) // 2]
    return BenchRow(
        case=case,
        metric=f"log_likelihood_over_{_METRICS[rival]}",
        ours=middle.value,
        low=middle.low,
        high=middle.high,
        reference=0.0,
        reference_name=rival,
        unit="nats an event",
        n=len(gains),
    )
