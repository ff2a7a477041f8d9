"""Features as they were at a moment: nothing is read before it was known.

`make_spine` says which customers and moments, `build_features` gives one row of numbers for each,
`count_hours_of_week` when in their own week they were there.
"""

from features.point_in_time.build import build_features
from features.point_in_time.hours import N_WEEK_HOURS, count_hours_of_week
from features.point_in_time.spine import make_spine

__all__ = ["N_WEEK_HOURS", "build_features", "count_hours_of_week", "make_spine"]
