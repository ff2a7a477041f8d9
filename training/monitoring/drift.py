"""Whether a model is asked other things, or answers otherwise, than while it was made."""

from collections.abc import Sequence

import numpy as np

from training.measures import Floats
from training.monitoring.columns import ALARM_PSI, WATCH_PSI, ColumnProfile
from training.monitoring.status import Finding, Status, grade

FEWEST_ROWS = 100


def find_drifts(profiles: Sequence[ColumnProfile], X: Floats, *, stretched: float) -> list[Finding]:
    """One finding for each column that has enough values, then and now.

    Watched from 0.1, or from the largest distance that blocks of time of the training had from
    each other where that is larger; alarming from 0.25, or twice that distance. Both stretch with
    the time since, for what drifts steadily.

    Args:
        profiles: The columns as they were.
        X: The columns as they are, (n, columns); NaN is null.
        stretched: See `periods.stretch`.
    """
    return [
        _find_drift(profile, X[:, position], stretched=stretched)
        for position, profile in enumerate(profiles)
        if profile.n_rows >= FEWEST_ROWS and (~np.isnan(X[:, position])).sum() >= FEWEST_ROWS
    ]


def _find_drift(profile: ColumnProfile, values: Floats, *, stretched: float) -> Finding:
    known = values[~np.isnan(values)]
    distance = profile.distance(known)
    usual = profile.usual_psi * stretched
    chance = profile.chance_psi(len(known))
    watch_from = max(WATCH_PSI, usual, chance)
    alarm_from = max(ALARM_PSI, 2.0 * usual, 2.0 * chance)
    status = grade(distance, watch_from=watch_from, alarm_from=alarm_from)
    median = float(np.median(known))
    before = median if profile.median is None else profile.median
    return Finding(
        subject=profile.name,
        status=status,
        value=distance,
        watch_from=watch_from,
        alarm_from=alarm_from,
        words=f"{profile.name}: median {before:.4g} in training, {median:.4g} now"
        + ("" if status is not Status.OK else ", within what is usual"),
        unit="PSI",
    )
