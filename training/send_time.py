"""When a customer is there: the 168 hours of the week, shrunk to the population's week.

How strongly to shrink is chosen by how well earlier activity foretells later activity. Activity
says when somebody is there; whether a message would be read then is another question, and the
notes of each run say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.declared.hours import PRESENCE
from features.point_in_time import count_hours_of_week, make_spine
from features.tables import Tables
from training.datasets.provenance import Customers, NotEnoughData, fingerprint_tables
from training.evaluation import Estimate, Judged, mean_difference
from training.measures import Floats
from training.registry.servable import N_WEEK_HOURS, SendTimeModel

BASELINE = "population only"
CUSTOMER_ONLY = "customer only"
HELD_OUT_DAYS = 30
STRENGTHS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0)
_EVERY_EVENT_ONCE = replace(PRESENCE, half_life_days=None)
_TABLES = ("activity", "customers", "messages", "outcomes")


@dataclass(frozen=True)
class Weeks:
    """Activity by hour of the customer's own week, before a moment and after it.

    Attributes:
        before: Counts, (n, 168), of everything before the moment, the older the lighter.
        after: Counts, (n, 168), in the 30 days from it on.
        customers: customer_id, (n,).
    """

    before: Floats
    after: Floats
    customers: Customers


@dataclass(frozen=True)
class SendTimeDataset:
    """Two moments, 30 days apart, the later one for the test.

    Attributes:
        validation: Chooses the strength.
        test: Judges.
        test_from: Moment of the test.
        fingerprint: Of the data.
        tables: Tables that had rows.
    """

    validation: Weeks
    test: Weeks
    test_from: datetime
    fingerprint: str
    tables: tuple[str, ...]


@dataclass(frozen=True)
class StrengthScore:
    """Mean log-likelihood of a later event, in nats, under a strength of shrinkage."""

    strength: float
    log_likelihood: float


@dataclass(frozen=True)
class TrainedSendTime:
    """A send-time model and how it did on later activity.

    Attributes:
        model: The model.
        scores: Of every strength tried, on the validation part.
        test_from: Moment of the test.
        loss: Negative log-likelihood of an event of the test part, in nats.
        over_population: Its loss minus that of everybody's week.
        over_customer: Its loss minus that of the customer's own week alone.
    """

    model: SendTimeModel
    scores: tuple[StrengthScore, ...]
    test_from: datetime
    loss: float
    over_population: Estimate
    over_customer: Estimate


def build_send_time_dataset(
    tables: Tables, *, known_until: datetime
) -> SendTimeDataset | NotEnoughData:
    """Everybody's weeks at 60 and at 30 days before `known_until`."""
    held_out = timedelta(days=HELD_OUT_DAYS)
    test_from = known_until - held_out
    customers = tables["customers"]
    ids = customers.loc[customers["signed_up_at"] < test_from, "customer_id"].sort_values()
    validation, test = (
        _read_weeks(tables, ids, begins=begins, ends=begins + held_out)
        for begins in (test_from - held_out, test_from)
    )
    for part in (validation, test):
        if not (part.before.any() and part.after.any()):
            return NotEnoughData(
                f"nobody was active both more than {2 * HELD_OUT_DAYS} days and less than "
                f"{HELD_OUT_DAYS} days before {known_until.date()}"
            )
    return SendTimeDataset(
        validation=validation,
        test=test,
        test_from=test_from,
        fingerprint=fingerprint_tables(tables, names=_TABLES, known_until=known_until),
        tables=tuple(name for name in _TABLES if name in tables and len(tables[name])),
    )


def _read_weeks(
    tables: Tables, ids: "pd.Series[str]", *, begins: datetime, ends: datetime
) -> Weeks:
    """The week as a model would know it at a moment, and every event from then until the end."""
    spine = make_spine(ids, as_of=begins)
    earlier, later = (
        count_hours_of_week(tables, make_spine(ids, as_of=moment), histogram=_EVERY_EVENT_ONCE)
        for moment in (begins, ends)
    )
    return Weeks(
        before=count_hours_of_week(tables, spine),
        # An earlier open that becomes known later moves from one hour to another.
        after=np.maximum(later - earlier, 0.0),
        customers=ids.to_numpy(dtype=object),
    )


def train_send_time(
    dataset: SendTimeDataset, *, seed: int, strengths: Sequence[float] = STRENGTHS
) -> TrainedSendTime:
    """Choose the strength on the validation part and judge it on the test part."""
    earlier = find_population(dataset.validation)
    scores = tuple(
        StrengthScore(
            strength, -_mean_loss(SendTimeModel("", earlier, strength), dataset.validation)
        )
        for strength in strengths
    )
    best = max(scores, key=lambda score: score.log_likelihood)
    model = SendTimeModel("", find_population(dataset.test), best.strength)
    ours = judge_send_time(model, dataset.test).losses
    over_population, over_customer = (
        mean_difference(
            ours,
            other=other.losses,
            customers=dataset.test.customers,
            rng=np.random.default_rng(seed),
        )
        for other in (judge_population(dataset.test), judge_customer_only(dataset.test))
    )
    return TrainedSendTime(
        model=model,
        scores=scores,
        test_from=dataset.test_from,
        loss=float(ours.mean()),
        over_population=over_population,
        over_customer=over_customer,
    )


def find_population(weeks: Weeks) -> tuple[float, ...]:
    """Everybody's week before the moment: shares of the 168 hours, none of them zero."""
    counts = weeks.before.sum(axis=0) + 1.0
    return tuple((counts / counts.sum()).tolist())


def judge_send_time(model: SendTimeModel, weeks: Weeks) -> Judged:
    """Loss of each customer: nats of all later events, over the mean number of events.

    So the mean over customers is the mean over events.
    """
    return _judge(model.relative_openness(weeks.before) / N_WEEK_HOURS, weeks)


def judge_population(weeks: Weeks) -> Judged:
    """The baseline: everybody's week for everybody."""
    population = np.array(find_population(weeks))
    return _judge(np.broadcast_to(population, weeks.before.shape), weeks)


def judge_customer_only(weeks: Weeks) -> Judged:
    """The customer's own week, an even week counting as one event so that no hour is impossible."""
    even = (1.0 / N_WEEK_HOURS,) * N_WEEK_HOURS
    return judge_send_time(SendTimeModel("", even, 1.0), weeks)


def _judge(shares: Floats, weeks: Weeks) -> Judged:
    nats = -(weeks.after * np.log(shares)).sum(axis=1)
    return Judged(nats / weeks.after.sum(axis=1).mean(), calibration_error=None)


def _mean_loss(model: SendTimeModel, weeks: Weeks) -> float:
    return float(judge_send_time(model, weeks).losses.mean())
