"""Vowpal Wabbit in the contest, where it is installed.

Square exploration (`squarecb`, gamma_scale 1000) is the best of its settings on S1 whose logged
probabilities are true.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from training.benchmarks.bandit.contest import Told
from training.benchmarks.bandit.streams import Floats

_ARGUMENTS = "--cb_explore_adf --squarecb --gamma_scale 1000 -q CA --quiet"


def has_vowpal() -> bool:
    """Whether Vowpal Wabbit can be measured here."""
    return find_spec("vowpalwabbit") is not None


class Vowpal:
    """A workspace that is fed lines of text, as its own tutorials do."""

    def __init__(self) -> None:
        module = import_module("vowpalwabbit")
        self._workspace: Any = module.Workspace(_ARGUMENTS)  # has no types, may not be there
        self._n_arms = 0

    def probabilities(self, contexts: Floats, *, n_arms: int) -> Floats:
        """Its distribution for each row."""
        self._n_arms = n_arms
        return np.array([self._workspace.predict(self._lines(x)) for x in contexts])

    def learn(self, told: Told) -> None:
        """Row by row, with costs of -1 for a success."""
        for x, arm, reward, chance in zip(
            told.contexts, told.arms, told.rewards, told.p, strict=True
        ):
            self._workspace.learn(self._lines(x, label=(int(arm), -float(reward), float(chance))))

    def _lines(self, x: Floats, label: tuple[int, float, float] | None = None) -> str:
        features = " ".join(f"{at}:{value:.5g}" for at, value in enumerate(x.tolist()) if value)
        lines = [f"shared |C {features}"]
        for arm in range(self._n_arms):
            is_labelled = label is not None and label[0] == arm
            head = f"0:{label[1]}:{label[2]:.6g} " if label is not None and is_labelled else ""
            lines.append(f"{head}|A a{arm}")
        return "\n".join(lines)
