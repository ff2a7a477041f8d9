"""Finished tests with known truth: some words are worth clicks, in every test alike."""

import numpy as np

from training.variant_prior.finished import FinishedTests

WORTH = {"surprise": 0.5, "children": 0.25, "report": -0.5, "committee": -0.25}
_FILLERS = ("about", "house", "river", "morning", "letter", "garden", "music", "window", "winter")


def worth_of(text: str) -> float:
    """True log odds of a text above a text of fillers."""
    return sum(WORTH.get(word, 0.0) for word in text.split())


def plant(
    seed: int,
    *,
    n_tests: int = 300,
    worth: float = 1.0,
    noise: float = 0.2,
    n_shown: int = 2_000,
    language: str = "en",
) -> FinishedTests:
    """Tests of four texts of six words each; `worth` scales what the words are worth."""
    rng = np.random.default_rng(seed)
    vocabulary = np.array([*WORTH, *_FILLERS])
    names, texts, shown, clicked = [], [], [], []
    for test in range(n_tests):
        level = rng.normal(-4.0, 0.7)
        for _ in range(4):
            text = " ".join(rng.choice(vocabulary, 6, replace=False))
            score = level + worth * worth_of(text) + noise * rng.standard_normal()
            names.append(f"t{test:04d}")
            texts.append(text)
            shown.append(n_shown)
            clicked.append(rng.binomial(n_shown, 1.0 / (1.0 + np.exp(-score))))
    return FinishedTests.collect(
        names,
        texts=texts,
        languages=[language] * len(names),
        n_shown=np.array(shown),
        n_clicked=np.array(clicked),
    )
