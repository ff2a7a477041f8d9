"""How much customers differ in what they order: the spread behind a customer's own margin."""

from typing import Final

import numpy as np

from training.datasets.channel import ChannelDataset
from training.registry.servable import ORDERS, OrderHabits

_FEWEST: Final = 100  # customers, to tell how much they differ
_ALIKE: Final = 1e6


def measure_habits(dataset: ChannelDataset) -> OrderHabits | None:
    """Mean and shape by moments, from each customer's orders before their last message.

    None where the features hold no orders, nobody ordered, or customers are too few. Customers
    whose orders differ no more than chance would have it are taken for alike.
    """
    names = dataset.provenance.signature.names
    if ORDERS not in names:
        return None
    latest_first = np.argsort(-dataset.moments.astype("int64"), kind="stable")
    _, at = np.unique(dataset.customers[latest_first].astype(str), return_index=True)
    orders = dataset.X[latest_first[at], names.index(ORDERS)]
    orders = orders[~np.isnan(orders)]
    if len(orders) < _FEWEST or not orders.any():
        return None
    mean, excess = float(orders.mean()), float(orders.var() - orders.mean())
    return OrderHabits(mean, min(mean**2 / excess, _ALIKE) if excess > 0.0 else _ALIKE)
