"""Fitting the send-time model and judging it on later activity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from training.evaluation import Estimate, mean_difference
from training.registry.servable import SendTimeModel
from training.send_time.judging import judge_customer_only, judge_population, judge_send_time
from training.send_time.response import REACH_HOURS, LearnedResponse, learn_response
from training.send_time.shrinkage import (
    STRENGTHS,
    Shrinkage,
    StrengthScore,
    add_patterns,
    choose_shrinkage,
    start_model,
)
from training.send_time.weeks import SendTimeDataset, Weeks

__all__ = ["STRENGTHS", "StrengthScore", "TrainedSendTime", "train_send_time"]


@dataclass(frozen=True)
class TrainedSendTime:
    """A send-time model and how it did on later activity.

    Attributes:
        model: The model.
        shrinkage: How strongly it shrinks, chosen on the validation part.
        response: What the hour does to a message, from those sent in the validation part.
        test_from: Moment of the test.
        loss: Negative log-likelihood of an event of the test part, in nats.
        over_population: Its loss minus that of everybody's week.
        over_customer: Its loss minus that of the customer's own week alone.
        over_pooled: Its loss minus that of one shrinkage of the own week to everybody's, at the
            strength that is best for it.
    """

    model: SendTimeModel
    shrinkage: Shrinkage
    response: LearnedResponse
    test_from: datetime
    loss: float
    over_population: Estimate
    over_customer: Estimate
    over_pooled: Estimate

    @property
    def scores(self) -> tuple[StrengthScore, ...]:
        """Of every strength tried, on the validation part."""
        return self.shrinkage.scores


def train_send_time(
    dataset: SendTimeDataset, *, seed: int, strengths: Sequence[float] = STRENGTHS
) -> TrainedSendTime:
    """Learn how weeks differ on the validation part and judge it on the test part.

    Weeks of everybody and of the segments are those known when the test begins; how customers
    differ from them, and what the hour does to a message, is what the validation part showed.
    """
    earlier = dataset.validation
    shrinkage = choose_shrinkage(earlier, strengths=strengths)
    known = fit_weeks(earlier, shrinkage=shrinkage)
    known = replace(known, reach_hours=REACH_HOURS)
    openness = known.relative_openness(earlier.before, segments=earlier.known_segments)
    response = learn_response(dataset.sent, openness=openness, around=known.around(openness))
    now = start_model(dataset.test, segment_strength=shrinkage.segment_strength)
    model = replace(
        known,
        population=now.population,
        segments=now.segments,
        responses=response.responses,
    )
    ours = judge_send_time(model, dataset.test).losses
    others = (
        judge_population(dataset.test),
        judge_customer_only(dataset.test),
        judge_send_time(fit_pooled(earlier, now=now, strengths=strengths), dataset.test),
    )
    over_population, over_customer, over_pooled = (
        mean_difference(
            ours,
            other=other.losses,
            customers=dataset.test.customers,
            rng=np.random.default_rng(seed),
        )
        for other in others
    )
    return TrainedSendTime(
        model=model,
        shrinkage=shrinkage,
        response=response,
        test_from=dataset.test_from,
        loss=float(ours.mean()),
        over_population=over_population,
        over_customer=over_customer,
        over_pooled=over_pooled,
    )


def fit_weeks(weeks: Weeks, *, shrinkage: Shrinkage) -> SendTimeModel:
    """The model of these customers' weeks, shrunk as chosen; it knows nothing of messages."""
    base = start_model(weeks, segment_strength=shrinkage.segment_strength)
    model = add_patterns(
        base,
        weeks,
        smoothing=shrinkage.smoothing,
        n_directions=shrinkage.n_directions,
        noise=shrinkage.noise,
    )
    return replace(model, strength=shrinkage.strength)


def fit_pooled(weeks: Weeks, *, now: SendTimeModel, strengths: Sequence[float]) -> SendTimeModel:
    """The plain rival: one strength of shrinkage to everybody's week, the best for these weeks."""
    base = start_model(weeks, segment_strength=None)
    tried = [replace(base, strength=strength) for strength in strengths]
    best = min(tried, key=lambda model: float(judge_send_time(model, weeks).losses.mean()))
    return replace(best, population=now.population)
