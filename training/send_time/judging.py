"""How well a week foretells later activity, beside the plain ways of guessing it."""

import numpy as np

from training.evaluation import Judged
from training.measures import Floats
from training.registry.servable import N_WEEK_HOURS, SendTimeModel
from training.send_time.weeks import Weeks

BASELINE = "population only"
CUSTOMER_ONLY = "customer only"


def find_population(weeks: Weeks) -> tuple[float, ...]:
    """Everybody's week before the moment: shares of the 168 hours, none of them zero."""
    counts = weeks.before.sum(axis=0) + 1.0
    return tuple((counts / counts.sum()).tolist())


def judge_send_time(model: SendTimeModel, weeks: Weeks) -> Judged:
    """Loss of each customer: nats of all later events, over the mean number of events.

    So the mean over customers is the mean over events.
    """
    openness = model.relative_openness(weeks.before, segments=weeks.known_segments)
    return _judge(openness / N_WEEK_HOURS, weeks)


def judge_population(weeks: Weeks) -> Judged:
    """The baseline: everybody's week for everybody."""
    population = np.array(find_population(weeks))
    return _judge(np.broadcast_to(population, weeks.before.shape), weeks)


def judge_customer_only(weeks: Weeks) -> Judged:
    """The customer's own week, an even week counting as one event so that no hour is impossible."""
    even = (1.0 / N_WEEK_HOURS,) * N_WEEK_HOURS
    return judge_send_time(SendTimeModel("", even, 1.0), weeks)


def _judge(shares: Floats, weeks: Weeks) -> Judged:
    nats = -(weeks.after * np.log(shares)).sum(axis=1)
    return Judged(nats / weeks.after.sum(axis=1).mean(), calibration_error=None)
