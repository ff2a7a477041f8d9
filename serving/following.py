"""Served models follow what has changed since they were made."""

from dataclasses import replace
from datetime import datetime

from features.tables import Tables
from serving.snapshot.state import Models
from training.channel.following import follow_readers


def follow(models: Models, tables: Tables, *, as_of: datetime) -> Models:
    """The champions, of which the channel model knows how messages of the last weeks were read.

    Args:
        models: As they are in the registry: never what was returned before.
        tables: Conformed frames.
        as_of: Nothing known then or later is read.
    """
    if models.channel is None:
        return models
    return replace(models, channel=follow_readers(models.channel, tables, as_of=as_of))
