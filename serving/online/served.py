"""The features that decisions were made with, kept so that they can be compared with the tables."""

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from features.churn import CHURN_FEATURES
from features.engagement import ENGAGEMENT_FEATURES
from serving.assemble import CaseBook
from serving.policy.arms import stable_uniform
from serving.policy.cases import Floats
from serving.records import Decision
from serving.store.kept import ServedFeatures

N_HOURS: Final = 168

_N_CHURN: Final = len(CHURN_FEATURES.names)
_N_ENGAGEMENT: Final = len(ENGAGEMENT_FEATURES.names)
_QUICK: Final = 1


def running_features() -> str:
    """Digest of the declarations that served numbers belong to."""
    return f"{CHURN_FEATURES.digest}+{ENGAGEMENT_FEATURES.digest}"


@dataclass(frozen=True)
class ServedNumbers:
    """What the models of a decision read: features of both sets, and hours of the week, (168,)."""

    churn: Floats
    engagement: Floats
    hours: Floats


def list_served(
    book: CaseBook, records: Sequence[Decision], *, share: float
) -> Iterator[ServedFeatures]:
    """What the models read, of a share of the decisions that used one.

    Args:
        book: The cases, in the order of the records.
        records: Their decisions.
        share: Of decisions, chosen by their identity.
    """
    for position, record in enumerate(records):
        used = record.p_churn is not None or not record.cold_start
        as_of_us = book.features_as_of_us(position)
        if not used or as_of_us is None:
            continue
        if share < 1 and stable_uniform("served", record.decision_id) >= share:
            continue
        yield ServedFeatures(
            decision_id=record.decision_id,
            customer_id=record.customer_id,
            as_of_us=as_of_us,
            online=position in book.live,
            features=record.feature_hash,
            numbers=pack_numbers(_numbers(book, position)),
        )


def pack_numbers(numbers: ServedNumbers) -> bytes:
    """The numbers as bytes, exactly."""
    flat = np.concatenate([numbers.churn, numbers.engagement, numbers.hours])
    return zlib.compress(flat.astype("<f8").tobytes(), _QUICK)


def unpack_numbers(packed: Iterable[bytes]) -> ServedNumbers:
    """What was packed, a row for each: (n, features of each set) and (n, 168)."""
    rows = [np.frombuffer(zlib.decompress(numbers), dtype="<f8") for numbers in packed]
    flat = np.vstack(rows) if rows else np.empty((0, _N_CHURN + _N_ENGAGEMENT + N_HOURS))
    end = _N_CHURN + _N_ENGAGEMENT
    return ServedNumbers(flat[:, :_N_CHURN], flat[:, _N_CHURN:end], flat[:, end:])


def _numbers(book: CaseBook, position: int) -> ServedNumbers:
    if (live := book.live.get(position)) is not None:
        return ServedNumbers(live.churn, live.engagement, live.week_counts)
    row = int(book.rows[position])
    customers = book.snapshot.customers
    return ServedNumbers(
        customers.churn[row], customers.engagement[row], customers.week_counts[row]
    )
