"""Features as they were at a moment: nothing is read before it was known.

`make_spine` says which customers and moments (`EveryCustomer`: all of them, at one), and
`build_features` gives one row of numbers for each, `write_features` writes them. When in their own
week they were there says `count_hours_of_week`.
"""

from features.conditions import N_WEEK_HOURS
from features.point_in_time.build import build_features, write_features
from features.point_in_time.hours import count_hours_of_week
from features.point_in_time.spine import EveryCustomer, Spine, make_spine

__all__ = [
    "N_WEEK_HOURS",
    "EveryCustomer",
    "Spine",
    "build_features",
    "count_hours_of_week",
    "make_spine",
    "write_features",
]
