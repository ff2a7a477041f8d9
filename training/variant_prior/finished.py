"""Finished tests of wordings: texts that competed, how often each was shown and clicked."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from scipy.sparse import csgraph

from features.errors import BadInputError
from training.measures import Floats, Integers

Names = npt.NDArray[np.object_]
_HALF = 0.5  # added to clicks and misses, so that the log odds of none are finite (Haldane)


@dataclass(frozen=True)
class FinishedTests:
    """Wordings of tests that are over, n of them.

    Attributes:
        tests: Name of the test of each wording, (n,); wordings of one test competed for the same
            readers at the same time.
        texts: The words, n.
        languages: Codes, n.
        n_shown: How often each was shown or sent, (n,), above 0.
        n_clicked: How often that was followed by a click, (n,), no more often than it was shown.
    """

    tests: Names
    texts: tuple[str, ...]
    languages: tuple[str, ...]
    n_shown: Integers
    n_clicked: Integers

    def __post_init__(self) -> None:
        n = len(self.tests)
        sizes = {len(part) for part in (self.texts, self.languages, self.n_shown, self.n_clicked)}
        if sizes != {n}:
            raise BadInputError(f"finished tests: columns of {sorted(sizes | {n})} wordings")
        wrong = np.flatnonzero(
            (self.n_shown <= 0) | (self.n_clicked < 0) | (self.n_clicked > self.n_shown)
        )
        if len(wrong):
            at = int(wrong[0])
            raise BadInputError(
                f"finished tests: {len(wrong)} wordings with clicks outside 0..shown or never "
                f"shown, the first in row {at}: {self.n_clicked[at]} of {self.n_shown[at]}"
            )

    def __len__(self) -> int:
        return len(self.tests)

    @classmethod
    def collect(
        cls,
        tests: Sequence[str],
        *,
        texts: Sequence[str],
        languages: Sequence[str],
        n_shown: Integers,
        n_clicked: Integers,
    ) -> "FinishedTests":
        """What competed: the same words in one test are one wording, and one alone is no test."""
        rows = pd.DataFrame(
            {
                "test": tests,
                "text": texts,
                "language": languages,
                "shown": n_shown,
                "clicked": n_clicked,
            }
        )
        merged = rows.groupby(["test", "language", "text"], as_index=False, sort=True).sum()
        siblings = merged.groupby(["test", "language"])["text"].transform("size")
        merged = merged[siblings >= 2]
        return cls(
            tests=np.array(
                [f"{test}|{code}" for test, code in merged[["test", "language"]].to_numpy()],
                dtype=object,
            ),
            texts=tuple(merged["text"]),
            languages=tuple(merged["language"]),
            n_shown=merged["shown"].to_numpy(dtype=np.int64),
            n_clicked=merged["clicked"].to_numpy(dtype=np.int64),
        )

    def take(self, rows: npt.NDArray[np.bool_]) -> "FinishedTests":
        """Those wordings; whole tests, or the rest of a test would be judged without its kin."""
        at = np.flatnonzero(rows)
        return FinishedTests(
            self.tests[at],
            tuple(self.texts[row] for row in at),
            tuple(self.languages[row] for row in at),
            self.n_shown[at],
            self.n_clicked[at],
        )

    @cached_property
    def log_odds(self) -> Floats:
        """Of a click, (n,)."""
        odds: Floats = np.log((self.n_clicked + _HALF) / (self.n_shown - self.n_clicked + _HALF))
        return odds

    @cached_property
    def sampling_variance(self) -> Floats:
        """How far the log odds stray by chance alone, (n,)."""
        variance: Floats = 1.0 / (self.n_clicked + _HALF) + 1.0 / (
            self.n_shown - self.n_clicked + _HALF
        )
        return variance

    @cached_property
    def position(self) -> Integers:
        """Test of each wording as a number from 0 on, (n,)."""
        return np.unique(self.tests, return_inverse=True)[1].astype(np.int64)

    @cached_property
    def family(self) -> Integers:
        """Family of each wording as a number from 0 on, (n,).

        Tests that share words, as those of the same variants in other months do, are one family:
        whoever learned from one of them has seen the words of the others.
        """
        words = np.unique(np.array(self.texts, dtype=object), return_inverse=True)[1]
        n_words = int(words.max()) + 1 if len(words) else 0
        size = self.n_tests + n_words
        edges = (np.ones(len(words)), (self.position, self.n_tests + words))
        graph = sparse.csr_array(edges, shape=(size, size))
        component = csgraph.connected_components(graph, directed=False)[1]
        return np.unique(component[self.position], return_inverse=True)[1].astype(np.int64)

    @property
    def n_tests(self) -> int:
        """How many tests."""
        return len(np.unique(self.tests))

    @property
    def rate(self) -> float:
        """Share of what was shown that was clicked, of the middle test."""
        clicked = np.bincount(self.position, self.n_clicked)
        return float(np.median((clicked + _HALF) / (np.bincount(self.position, self.n_shown) + 1)))
