"""When customers are there: what counts as a sign of it."""

from typing import Final

from features.conditions import one_of
from features.histograms import HourHistogram, HourSource
from features.vocabulary import Outcome

PRESENCE: Final = HourHistogram(
    name="presence",
    sources=(
        HourSource("activity"),
        HourSource("outcomes", where=(one_of("outcome", Outcome.OPENED),)),
    ),
    half_life_days=112,
    description="Activity of any kind, and messages first opened by a human.",
)
