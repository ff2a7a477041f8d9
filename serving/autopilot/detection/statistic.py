"""How strongly a window speaks for more than what is usual.

The generalised likelihood ratio: how much likelier the count is at the rate that fits it best than
at the usual one, over every window that ends now. With a dispersion the counts are negative
binomial (variance m + phi m^2), which is what busy streams are; without one they are Poisson.
(Kulldorff 1997, the scan statistic; Hohle and Paul 2008, count data charts, both rates.)
"""

from math import log

import numpy as np

from serving.autopilot.detection.week import Floats, Ints


def score_count(count: int, *, usual: float, phi: float) -> float:
    """Log likelihood ratio of a count where `usual` is expected; 0 where it is no more than that.

    >>> round(score_count(7, usual=0.1, phi=0.0), 2), score_count(1, usual=2.0, phi=0.0)
    (22.84, 0.0)
    >>> score_count(30, usual=10.0, phi=0.5) < score_count(30, usual=10.0, phi=0.0)
    True
    """
    if count <= usual:
        return 0.0
    if phi * usual < 1e-9:
        return count * log(count / usual) - (count - usual)
    r = 1.0 / phi
    return count * log(count * (r + usual) / (usual * (r + count))) + r * log(
        (r + usual) / (r + count)
    )


def score_counts(count: int, *, usual: Floats, phi: float) -> Floats:
    """The same for one count and many expectations, (n,)."""
    if phi == 0.0:
        scores = count * np.log(count / usual) - (count - usual)
    else:
        r = 1.0 / phi
        scores = count * np.log(count * (r + usual) / (usual * (r + count)))
        scores += r * np.log((r + usual) / (r + count))
    return np.where(count > usual, scores, 0.0)


def score_stream(
    at_hours: Floats,
    mean_hours: Floats,
    *,
    level: float,
    phi: float,
    least: int,
    shortest_hours: float,
    longest_hours: float,
    levels: Floats | None = None,
) -> Floats:
    """The best score of a window that ends at each complaint, (n,).

    Args:
        at_hours: When complaints came, in order, (n,).
        mean_hours: The same on the clock of the week, (n,).
        level: What is usual in an hour of that clock.
        phi: Dispersion; 0 for none.
        least: Complaints that a window must hold.
        shortest_hours: A window counts as at least so long.
        longest_hours: Of the longest window.
        levels: Instead of `level`, one for each complaint, (n,).
    """
    n = len(at_hours)
    best = np.zeros(n)
    first: Ints = np.searchsorted(at_hours, at_hours - longest_hours)
    most = int((np.arange(n) - first).max(initial=0)) + 1
    for count in range(least, most + 1):
        ends = np.arange(count - 1, n)
        ends = ends[first[ends] <= ends - count + 1]
        spans = np.maximum(mean_hours[ends] - mean_hours[ends - count + 1], shortest_hours)
        usual = spans * (level if levels is None else levels[ends])
        best[ends] = np.maximum(best[ends], score_counts(count, usual=usual, phi=phi))
    return best
