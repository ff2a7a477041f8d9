"""What comes of a message, by channel: delivered, opened, clicked, converted, unsubscribed."""

from training.channel.baseline import BASELINE, ChannelRates, count_rates, estimate_values
from training.channel.describing import describe_messages
from training.channel.judging import ChannelScore, judge_channel, judge_rates, score_channels
from training.channel.training import (
    OutcomeFit,
    TrainedChannel,
    fit_channel,
    train_channel,
)

__all__ = [
    "BASELINE",
    "ChannelRates",
    "ChannelScore",
    "OutcomeFit",
    "TrainedChannel",
    "count_rates",
    "describe_messages",
    "estimate_values",
    "fit_channel",
    "judge_channel",
    "judge_rates",
    "score_channels",
    "train_channel",
]
