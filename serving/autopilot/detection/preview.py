"""What would have been: history replayed before detection is switched on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import chi2

from serving.autopilot.detection.bursts import Burst, BurstEnded
from serving.autopilot.detection.detector import BurstDetector, Reaction, Sighting
from serving.autopilot.detection.week import HOUR_US, WEEK_HOURS


@dataclass(frozen=True)
class Preview:
    """How often a detector would have spoken.

    Attributes:
        bursts: What it would have said, in order.
        n_weeks: Of history that alarms were allowed in.
        per_week: Alarms a week, real incidents among them.
        low: Lower end of its exact 95 % interval.
        high: Upper end.
    """

    bursts: tuple[Burst, ...]
    n_weeks: float
    per_week: float
    low: float
    high: float


def replay(
    detector: BurstDetector, seen: Iterable[Sighting], *, alarms_from_us: int
) -> Iterable[tuple[Sighting, Reaction, tuple[BurstEnded, ...]]]:
    """Feed messages in order of time, each at its own moment; ends are told as time goes by.

    Args:
        detector: Is changed by what it sees.
        seen: Complaints in any order.
        alarms_from_us: Earlier ones teach levels and start nothing.

    Yields:
        The message, what it led to, and bursts that had ended before it.
    """
    for one in sorted(seen, key=lambda s: (s.at_us, s.message_id)):
        ended = detector.tick(one.at_us)
        yield (
            one,
            detector.take(one, now_us=one.at_us, may_alarm=one.at_us >= alarms_from_us),
            ended,
        )


def preview(
    detector: BurstDetector, seen: Sequence[Sighting], *, alarms_from_us: int, until_us: int
) -> Preview:
    """How often a detector would have alarmed between two moments; `detector` is changed."""
    found = [
        news
        for _, reaction, _ in replay(detector, seen, alarms_from_us=alarms_from_us)
        for news in reaction.news
        if isinstance(news, Burst)
    ]
    n_weeks = (until_us - alarms_from_us) / HOUR_US / WEEK_HOURS
    low, high = count_interval(len(found))
    return Preview(tuple(found), n_weeks, len(found) / n_weeks, low / n_weeks, high / n_weeks)


def count_interval(n: int) -> tuple[float, float]:
    """The exact 95 % interval of a Poisson mean after `n` were counted (Garwood 1936).

    >>> tuple(round(end, 2) for end in count_interval(0)), round(count_interval(10)[1], 1)
    ((0.0, 3.69), 18.4)
    """
    low = 0.0 if n == 0 else float(chi2.ppf(0.025, 2 * n)) / 2
    return low, float(chi2.ppf(0.975, 2 * n + 2)) / 2
