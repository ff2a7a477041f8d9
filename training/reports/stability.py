"""Whether a model leans on the same features from block to block of time."""

from collections.abc import Mapping

import numpy as np
from scipy.stats import spearmanr

from training.monitoring.periods import BLOCK_DAYS
from training.monitoring.profile import Profile

_STEADY = 0.9
_N_COMPARED = 20


def use_by_feature(profile: Profile, *, n_most: int) -> Mapping[str, tuple[float, ...]]:
    """Shares by block of the features that the model leans on most, the largest first."""
    used = sorted(profile.use, key=lambda use: float(np.mean(use.shares)), reverse=True)
    return {use.name: use.shares for use in used[:n_most] if max(use.shares) > 0}


def find_stability(profile: Profile) -> str:
    """In a sentence how steady the order of the leading features is; empty where unknown.

    By Spearman's rank correlation of the twenty leading features between a block and the mean.
    """
    leading = use_by_feature(profile, n_most=_N_COMPARED)
    if len(leading) < 3:
        return ""
    shares = np.array(list(leading.values()))  # features, blocks
    if shares.shape[1] < 2:
        return ""
    mean = shares.mean(axis=1)
    ranks = [float(spearmanr(mean, block).statistic) for block in shares.T]
    verdict = "steady" if min(ranks) >= _STEADY else "not steady"
    first, share = next(iter(leading)), float(mean[0])
    return (
        f"It leans most on {first} ({share:.0%} of what moves the scores). The order of its "
        f"{len(leading)} leading features is {verdict} over {shares.shape[1]} blocks of "
        f"{BLOCK_DAYS} days: rank correlation with the mean order {min(ranks):.2f} to "
        f"{max(ranks):.2f}."
    )
