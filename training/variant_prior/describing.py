"""A text as numbers: n-grams of its characters and words, hashed, and a few counts.

Hashing needs no vocabulary, so a state is one row of weights and no text of anybody's is kept in it
(Weinberger et al. 2009; scikit-learn's `HashingVectorizer`).
"""

import re
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

_N_CHARACTER_COLUMNS = 2**14
_N_WORD_COLUMNS = 2**13
_WORD_SHARE = 0.5  # beside characters; anything from none to 1 does about as well
_COUNT_SHARE = 0.1

_PATTERN = r"(?u)\b\w+\b|[?!.:…\"*]"
_WORD = re.compile(r"\w+")
_END = re.compile(r"[.!?…]+")
_CHARACTERS = HashingVectorizer(
    analyzer="char_wb", ngram_range=(2, 5), n_features=_N_CHARACTER_COLUMNS
)
_WORDS = HashingVectorizer(
    analyzer="word", ngram_range=(1, 2), n_features=_N_WORD_COLUMNS, token_pattern=_PATTERN
)
_USUAL = np.array([70.0, 13.0, 4.5, 0.1, 0.1, 0.2, 0.3, 0.1, 0.15, 1.5])
_SCALE = np.array([20.0, 4.0, 0.7, 0.3, 0.3, 0.4, 0.5, 0.3, 0.07, 0.9])

N_COLUMNS = _N_CHARACTER_COLUMNS + _N_WORD_COLUMNS + len(_USUAL)
"""Columns of a description."""


def describe_texts(texts: Sequence[str]) -> sparse.csr_array:
    """Descriptions as (n, N_COLUMNS)."""
    counts = (np.array([_count(text) for text in texts]).reshape(-1, len(_USUAL)) - _USUAL) / _SCALE
    return sparse.csr_array(
        sparse.hstack(
            [
                sparse.csr_array(_CHARACTERS.transform(texts)),
                sparse.csr_array(_WORDS.transform(texts)) * _WORD_SHARE,
                sparse.csr_array(np.clip(counts, -4.0, 4.0) * _COUNT_SHARE),
            ]
        )
    )


def _count(text: str) -> list[float]:
    """Length in characters and words, letters a word, and what a text is marked by."""
    words = _WORD.findall(text)
    letters = [character for character in text if character.isalpha()]
    return [
        float(len(text)),
        float(len(words)),
        sum(map(len, words)) / max(len(words), 1),
        float("?" in text),
        float("!" in text),
        float(any(character.isdigit() for character in text)),
        float(any(mark in text for mark in "\"'«»“”’")),
        float(":" in text),
        sum(letter.isupper() for letter in letters) / max(len(letters), 1),
        float(len(_END.findall(text))),
    ]
