"""What the hour of sending does to a message, and how long it waits to be read.

Presence tells when a customer is there. What a message sent then gains from it is another matter:
the slope says how much, and comes from hours that chance drew, where the log has them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from training.registry.servable.signature import Floats

N_WEEK_HOURS = 168
_LEAST_RESPONSE = 0.1
"""No hour is worth less than this share of the mean message's: the straight line ends there."""


@dataclass(frozen=True)
class HourResponse:
    """How a message on one channel fares by the hour in which it is sent.

    The chance that it is read, over that of the log's mean message, is
    `1 + slope x (presence around the hour - presence)`, where presence is 1 in a mean hour.

    The time until it is read is a mixture of exponentials. With `attention` a it runs by the
    customer's own week: hours weigh 1 - a + a x their presence.

    Attributes:
        slope: 0 where the hour does not matter, 1 where who is there reads.
        presence: Presence around the hours at which the log's messages were sent, mean.
        attention: How far the moment of reading follows presence, 0 to 1.
        delay_shares: Parts of the mixture; they sum to 1.
        delay_hours: Mean of each part, hours, above 0.
    """

    slope: float = 1.0
    presence: float = 1.0
    attention: float = 0.0
    delay_shares: tuple[float, ...] = (1.0,)
    delay_hours: tuple[float, ...] = (1.0,)

    def relative(self, around: Floats) -> Floats:
        """The chance to be read over the mean message's, of presence around the hour, any shape."""
        response = 1.0 + self.slope * (around - self.presence)
        return np.maximum(response, _LEAST_RESPONSE)

    def p_read_within(self, hours: Floats) -> Floats:
        """P(read within so many hours | ever read), at a mean hour; any shape."""
        ages = np.maximum(np.asarray(hours, dtype=np.float64), 0.0)[..., None]
        p: Floats = 1.0 - np.exp(-ages / np.array(self.delay_hours)) @ np.array(self.delay_shares)
        return p

    def freshness_when_read(self, openness: Floats, *, half_life_hours: float) -> Floats:
        """What is left of an occasion when a message is read, over that at a mean hour, (n, 168).

        Args:
            openness: Presence by hour of the week, (n, 168), 1 in a mean hour.
            half_life_hours: Time in which the occasion loses half its worth.
        """
        if self.attention == 0.0:
            return np.ones_like(openness)
        reading, fresh = _week_kernels(self.delay_shares, self.delay_hours, half_life_hours)
        attention = 1.0 - self.attention + self.attention * openness
        left: Floats = (attention @ fresh) / (attention @ reading) / fresh[:, 0].sum()
        return left

    def to_json(self) -> dict[str, Any]:
        """The whole response as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The response that `to_json` wrote."""
        return cls(
            slope=data["slope"],
            presence=data["presence"],
            attention=data["attention"],
            delay_shares=tuple(data["delay_shares"]),
            delay_hours=tuple(data["delay_hours"]),
        )


@lru_cache(maxsize=128)
def _week_kernels(
    shares: tuple[float, ...], means: tuple[float, ...], half_life_hours: float
) -> tuple[Floats, Floats]:
    """P(read in week hour i | sent in j), and the same times what is left by then, (168, 168) each.

    Whole weeks later counts in the same hour; the sum over weeks is a geometric series.
    """
    rate = 1.0 / np.array(means)
    fading = rate + np.log(2.0) / half_life_hours
    weight = np.array(shares)
    reading = weight @ _by_hour(rate)
    fresh = (weight * rate / fading) @ _by_hour(fading)
    later = (np.arange(N_WEEK_HOURS)[:, None] - np.arange(N_WEEK_HOURS)) % N_WEEK_HOURS
    return reading[later], fresh[later]


def _by_hour(rate: Floats) -> Floats:
    """P that an exponential time falls into each hour of the weeks that follow, (k, 168)."""
    hours = np.exp(-rate[:, None] * np.arange(N_WEEK_HOURS)) * -np.expm1(-rate)[:, None]
    by_hour: Floats = hours / -np.expm1(-rate * N_WEEK_HOURS)[:, None]
    return by_hour
