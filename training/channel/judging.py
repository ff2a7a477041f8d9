"""How a channel model did: loss by message, scores and calibration by channel."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.vocabulary import Channel, Outcome
from training.channel.baseline import ChannelRates
from training.channel.describing import describe_messages
from training.channel.training import OutcomeFit, TrainedChannel
from training.datasets.channel import ChannelDataset
from training.evaluation import Judged, Scored, judge
from training.measures import Floats, log_losses, make_calibration_error
from training.registry.servable import CHANNELS, ChannelModel


@dataclass(frozen=True)
class ChannelScore:
    """How the model of one outcome did on the later messages of one channel.

    Attributes:
        outcome: What is foretold.
        channel: On which channel.
        n_messages: Test messages.
        n_positives: Those with the outcome.
        log_loss: Of the model, in nats a message.
        log_loss_baseline: Of the channel's constant rate.
        calibration_error: Of the model.
        surplus: Foretold minus observed rate; above 0 where too much was promised.
    """

    outcome: Outcome
    channel: Channel
    n_messages: int
    n_positives: int
    log_loss: float
    log_loss_baseline: float
    calibration_error: float
    surplus: float


def judge_channel(model: ChannelModel, dataset: ChannelDataset) -> Judged:
    """Log loss of each message, summed over outcomes, and the worst calibration error."""
    sendings = describe_messages(model, dataset)
    return _judge_all({o: model.predict(o, sendings) for o in model.outcomes}, dataset)


def judge_rates(rates: ChannelRates, dataset: ChannelDataset) -> Judged:
    """Log loss of each message, summed over outcomes, and the worst calibration error."""
    return _judge_all({o: rates.predict(o, dataset) for o in dataset.targets}, dataset)


def score_channels(trained: TrainedChannel) -> tuple[ChannelScore, ...]:
    """The model against the baseline on every channel of the test part, outcome by outcome."""
    return tuple(
        _score(outcome, fit, position=int(position), test=trained.test)
        for outcome, fit in trained.by_outcome.items()
        for position in np.unique(trained.test.channel)
    )


def _score(
    outcome: Outcome, fit: OutcomeFit, *, position: int, test: ChannelDataset
) -> ChannelScore:
    rows = test.channel == position
    labels, p = test.targets[outcome][rows], fit.p_test[rows]
    return ChannelScore(
        outcome=outcome,
        channel=CHANNELS[position],
        n_messages=len(labels),
        n_positives=int(labels.sum()),
        log_loss=float(log_losses(p, labels=labels).mean()),
        log_loss_baseline=float(log_losses(fit.p_baseline[rows], labels=labels).mean()),
        calibration_error=make_calibration_error(p, labels)(np.ones(len(p))),
        surplus=float(p.mean() - labels.mean()),
    )


def _judge_all(p: Mapping[Outcome, Floats], dataset: ChannelDataset) -> Judged:
    judged = {outcome: judge(p[outcome], labels=y) for outcome, y in dataset.targets.items()}
    losses: Floats = np.sum([one.losses for one in judged.values()], axis=0)
    worst = max(one.calibration_error or 0.0 for one in judged.values())
    scores = {o.value: Scored(p[o], labels) for o, labels in dataset.targets.items()}
    return Judged(losses, worst, scores)
