"""Messages counted by cell: trigger, channel, segment, language."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from features.vocabulary import Outcome
from training.datasets.channel import ChannelDataset
from training.measures import Floats, Integers
from training.registry.servable import CHANNELS, TRIGGERS, Names
from training.registry.servable.pooled import encode_names

MOST_SEGMENTS = 24
MOST_LANGUAGES = 10


@dataclass(frozen=True)
class Cells:
    """Counts of the cells that have messages, m rows.

    Attributes:
        trigger: Position of the trigger, (m,).
        channel: Position of the channel, (m,).
        segment: Position of the segment, (m,); -1 where unknown or rare.
        language: Position of the language, (m,); -1 where unknown or rare.
        n: Messages, (m,).
        n_with: Those with the outcome, (m,).
        segments: The segments by name.
        languages: The languages by name.
    """

    trigger: Integers
    channel: Integers
    segment: Integers
    language: Integers
    n: Floats
    n_with: Floats
    segments: tuple[str, ...]
    languages: tuple[str, ...]

    @property
    def segment_shares(self) -> list[float]:
        """Share of each segment in the messages whose segment is known."""
        return _shares(self.segment, self.n, n_values=len(self.segments))

    @property
    def language_shares(self) -> list[float]:
        """Share of each language in the messages whose language is known."""
        return _shares(self.language, self.n, n_values=len(self.languages))


def count_cells(dataset: ChannelDataset, outcome: Outcome) -> Cells:
    """Messages of the dataset and those with the outcome; rare groups count as unknown."""
    segments = _name_largest(dataset.segments, n_most=MOST_SEGMENTS)
    languages = _name_largest(dataset.languages, n_most=MOST_LANGUAGES)
    shape = (len(TRIGGERS), len(CHANNELS), len(segments) + 1, len(languages) + 1)
    cell = np.ravel_multi_index(
        (
            dataset.trigger,
            dataset.channel,
            encode_names(dataset.segments.tolist(), among=segments) + 1,
            encode_names(dataset.languages.tolist(), among=languages) + 1,
        ),
        shape,
    )
    used, at = np.unique(cell, return_inverse=True)
    trigger, channel, segment, language = np.unravel_index(used, shape)
    return Cells(
        trigger=trigger.astype(np.int64),
        channel=channel.astype(np.int64),
        segment=segment.astype(np.int64) - 1,
        language=language.astype(np.int64) - 1,
        n=np.bincount(at).astype(np.float64),
        n_with=np.bincount(at, dataset.targets[outcome]).astype(np.float64),
        segments=segments,
        languages=languages,
    )


def _name_largest(names: Names, *, n_most: int) -> tuple[str, ...]:
    counts = Counter(name for name in names.tolist() if name is not None)
    largest = sorted(counts, key=lambda name: (-counts[name], name))[:n_most]
    return tuple(sorted(largest))


def _shares(at: Integers, n: Floats, *, n_values: int) -> list[float]:
    known = at >= 0
    counts = np.bincount(at[known], weights=n[known], minlength=n_values)
    return list(counts / max(counts.sum(), 1.0)) if n_values else []
