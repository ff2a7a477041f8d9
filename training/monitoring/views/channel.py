"""How the channel model is watched: the messages that were sent and whose outcomes are known."""

from datetime import datetime

from features.tables import Tables
from training.channel import judge_channel
from training.datasets.channel import build_channel_dataset
from training.datasets.provenance import NotEnoughData
from training.datasets.split import is_from
from training.models.recipe import require
from training.monitoring.views.view import Asked
from training.registry.servable import ChannelModel, Servable


def read_asked(
    tables: Tables, /, *, model: Servable, since: datetime, until: datetime
) -> Asked | NotEnoughData:
    """See `ReadAsked`; messages younger than their window of outcomes are left out."""
    dataset = build_channel_dataset(tables, known_until=until)
    if isinstance(dataset, NotEnoughData):
        return dataset
    rows = dataset.take(is_from(since, moments=dataset.moments))
    if not len(rows.customers):
        return NotEnoughData(f"no message sent since {since.date()} is old enough")
    judged = judge_channel(require(model, ChannelModel), rows)
    return Asked(
        names=dataset.provenance.signature.names,
        X=rows.X,
        moments=rows.moments,
        scores={outcome: scored.p for outcome, scored in judged.scores.items()},
    )
