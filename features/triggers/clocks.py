"""What clocks on the wall show: how far each customer's time zone is ahead of UTC, and when."""

from typing import Final

import pandas as pd

from features.engines import Relations
from features.point_in_time.zones import find_offsets, find_zone

COLUMNS: Final = ("timezone", "begins_at", "ends_at", "ahead")


def add_clocks(facts: Relations, *, since: int, until: int) -> None:
    """Make the relation `clocks`; `customers`, as known at the moment, is there already.

    A row says that from `begins_at` until before `ends_at` the clocks of `timezone` were `ahead` of
    UTC, all in microseconds. The last zone that is known of a customer is taken for all their rows,
    as for the days and moments in evidence.

    Args:
        facts: With `customers`.
        since: The clocks are right from this moment on, in UTC microseconds.
        until: Up to this moment.

    Raises:
        BadInputError: A customer's time zone does not exist.
    """
    names = facts.query("SELECT DISTINCT timezone FROM customers WHERE timezone IS NOT NULL")
    rows = [
        (name, *offset)
        for name in sorted(names["timezone"])
        for offset in find_offsets(find_zone(name), begins=since, ends=until)
    ]
    clocks = pd.DataFrame(rows, columns=list(COLUMNS))
    dtypes = {name: "str" if name == "timezone" else "int64" for name in COLUMNS}
    facts.register("clocks", clocks.astype(dtypes))
