"""What comes of a message, by channel: opened, clicked, converted, unsubscribed.

The plain baseline knows one number for each channel, its rate so far.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.vocabulary import Channel, Outcome, Trigger
from training.boosting import FittedBooster, LabelledRows, fit_booster
from training.datasets.channel import TARGETS, ChannelDataset, split_channel
from training.datasets.provenance import NotEnoughData
from training.datasets.split import ForwardSplit
from training.evaluation import Comparison, Judged, Window, compare, judge
from training.measures import Bools, Floats, log_losses
from training.registry.servable import CHANNELS, TRIGGERS, ChannelModel, FeatureSignature

BASELINE = "constant rate per channel"
_PRIOR_CONVERSIONS = 10.0


@dataclass(frozen=True)
class ChannelRates:
    """The baseline: one rate for each outcome and channel.

    Attributes:
        by_outcome: Rate by position in `CHANNELS`, (channels,); a channel without messages has
            the rate of all.
    """

    by_outcome: Mapping[Outcome, Floats]

    def predict(self, outcome: Outcome, dataset: ChannelDataset) -> Floats:
        """Probability of the outcome, (n,)."""
        return self.by_outcome[outcome][dataset.channel]


@dataclass(frozen=True)
class OutcomeFit:
    """How the model of one outcome did on later messages.

    Attributes:
        fitted: Its booster.
        p_test: What it said of the test rows.
        p_baseline: What the baseline said of them.
        comparison: The model against the baseline; NotEnoughData where all test rows are alike.
    """

    fitted: FittedBooster
    p_test: Floats
    p_baseline: Floats
    comparison: Comparison | NotEnoughData


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
    """

    outcome: Outcome
    channel: Channel
    n_messages: int
    n_positives: int
    log_loss: float
    log_loss_baseline: float


@dataclass(frozen=True)
class TrainedChannel:
    """A channel model and how it did on later messages.

    Attributes:
        model: The model.
        rates: The baseline, from the same rows.
        split: Which rows were used for what.
        test: Rows of the test part.
        by_outcome: How each outcome's model did.
    """

    model: ChannelModel
    rates: ChannelRates
    split: ForwardSplit
    test: ChannelDataset
    by_outcome: Mapping[Outcome, OutcomeFit]


def train_channel(dataset: ChannelDataset, *, seed: int) -> TrainedChannel | NotEnoughData:
    """Fit on the earlier messages, calibrate on later ones, judge on the latest.

    A rare outcome gets few and shallow trees, and one that never happened a small constant.
    """
    split = split_channel(dataset)
    if isinstance(split, NotEnoughData):
        return split
    known = dataset.take(split.train | split.calibration)
    test, rates = dataset.take(split.test), count_rates(known)
    signature = _extend_signature(dataset.provenance.signature)
    by_outcome: dict[Outcome, OutcomeFit] = {}
    for outcome in TARGETS:
        fitted = fit_booster(
            outcome.value,
            signature=signature,
            train=_label(dataset.take(split.train), outcome),
            calibration=_label(dataset.take(split.calibration), outcome),
            seed=seed,
            groups=(len(signature.names) - 2, len(signature.names) - 1),
        )
        by_outcome[outcome] = _test(fitted, outcome, test=test, rates=rates, seed=seed)
    model = ChannelModel(
        version="",
        signature=dataset.provenance.signature,
        boosters={outcome: fit.fitted.model for outcome, fit in by_outcome.items()},
        mean_value_cents=estimate_values(known),
    )
    return TrainedChannel(model, rates, split, test, by_outcome)


def count_rates(dataset: ChannelDataset) -> ChannelRates:
    """The baseline from these rows; a rate never seen is not zero (Jeffreys)."""
    n = np.bincount(dataset.channel, minlength=len(CHANNELS))
    by_outcome = {}
    for outcome, labels in dataset.targets.items():
        overall = (labels.sum() + 0.5) / (len(labels) + 1.0)
        n_positive = np.bincount(dataset.channel[labels], minlength=len(CHANNELS))
        by_outcome[outcome] = np.where(n > 0, (n_positive + 0.5) / (n + 1.0), overall)
    return ChannelRates(by_outcome)


def estimate_values(dataset: ChannelDataset) -> dict[Trigger, float]:
    """Mean cents of a conversion by trigger, shrunk to the mean of all by 10 conversions.

    Every trigger has one; empty where no conversion has a known value.
    """
    known = ~np.isnan(dataset.value_cents)
    if not known.any():
        return {}
    overall = float(dataset.value_cents[known].mean())
    values = {}
    for position, trigger in enumerate(TRIGGERS):
        cents = dataset.value_cents[known & (dataset.trigger == position)]
        total = cents.sum() + _PRIOR_CONVERSIONS * overall
        values[trigger] = float(total / (len(cents) + _PRIOR_CONVERSIONS))
    return values


def judge_channel(model: ChannelModel, dataset: ChannelDataset) -> Judged:
    """Log loss of each message, summed over outcomes, and the worst calibration error."""
    matrix = _to_matrix(dataset)
    return _judge_all({o: b.predict(matrix) for o, b in model.boosters.items()}, dataset)


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
    labels = test.targets[outcome][rows]
    return ChannelScore(
        outcome=outcome,
        channel=CHANNELS[position],
        n_messages=len(labels),
        n_positives=int(labels.sum()),
        log_loss=float(log_losses(fit.p_test[rows], labels=labels).mean()),
        log_loss_baseline=float(log_losses(fit.p_baseline[rows], labels=labels).mean()),
    )


def _judge_all(p: Mapping[Outcome, Floats], dataset: ChannelDataset) -> Judged:
    judged = [judge(p[outcome], labels=labels) for outcome, labels in dataset.targets.items()]
    losses: Floats = np.sum([one.losses for one in judged], axis=0)
    return Judged(losses, max(one.calibration_error or 0.0 for one in judged))


def _test(
    fitted: FittedBooster,
    outcome: Outcome,
    *,
    test: ChannelDataset,
    rates: ChannelRates,
    seed: int,
) -> OutcomeFit:
    p_test, p_baseline = fitted.model.predict(_to_matrix(test)), rates.predict(outcome, test)
    comparison = _compare(p_test, p_baseline, labels=test.targets[outcome], test=test, seed=seed)
    return OutcomeFit(fitted, p_test, p_baseline, comparison)


def _compare(
    p_test: Floats, p_baseline: Floats, *, labels: Bools, test: ChannelDataset, seed: int
) -> Comparison | NotEnoughData:
    n_positive = int(labels.sum())
    if not 0 < n_positive < len(labels):
        return NotEnoughData(f"{n_positive} of {len(labels)} messages in the test part have it")
    return compare(
        p_test,
        other=p_baseline,
        window=Window(labels, test.customers),
        rng=np.random.default_rng(seed),
    )


def _label(dataset: ChannelDataset, outcome: Outcome) -> LabelledRows:
    return LabelledRows(_to_matrix(dataset), dataset.targets[outcome])


def _to_matrix(dataset: ChannelDataset) -> Floats:
    """The customer's features, then the channel's and the trigger's position."""
    return np.column_stack(
        [dataset.X, dataset.channel.astype(np.float64), dataset.trigger.astype(np.float64)]
    )


def _extend_signature(signature: FeatureSignature) -> FeatureSignature:
    return FeatureSignature((*signature.names, "channel", "trigger"), signature.digest)
