"""The messages of a dataset as the model wants them."""

from training.datasets.channel import ChannelDataset
from training.registry.servable import ChannelModel, Sendings


def describe_messages(model: ChannelModel, dataset: ChannelDataset) -> Sendings:
    """Every message with its customer, channel, trigger and local hour."""
    return model.describe(
        dataset.X,
        channel=dataset.channel,
        trigger=dataset.trigger,
        segments=dataset.segments.tolist(),
        languages=dataset.languages.tolist(),
        hour=dataset.hour,
    )
