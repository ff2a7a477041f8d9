"""When in their own week customers were there."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.errors import BadInputError
from features.point_in_time.facts import connect
from features.point_in_time.spine import MICROS_PER_HOUR, number_rows
from features.tables import Tables
from features.vocabulary import Outcome

N_WEEK_HOURS = 168

_EPOCH_HOUR = 72  # 1970-01-01 was a Thursday; a week begins on Monday at 0:00

_COUNT = """
SELECT s.row_id, p.week_hour, COUNT(*) AS n
FROM spine s JOIN presence p ON p.customer_id = s.customer_id AND p.t < s.c
GROUP BY s.row_id, p.week_hour
"""


def count_hours_of_week(tables: Tables, spine: pd.DataFrame) -> npt.NDArray[np.float64]:
    """How often each customer was there in each hour of the week before each moment.

    Rows of `activity` and opens that no machine made count, from the first one on, each in the
    wall-clock hour of the customer's own time zone: 3:00 in summer time is hour 3.

    Args:
        tables: Conformed frames by name; `customers` is required.
        spine: customer_id and as_of, as of `make_spine`.

    Returns:
        Shape (rows of the spine, 168); hour 0 is Monday 0:00, hour 167 Sunday 23:00.

    Raises:
        BadInputError: The spine is not one, or a customer's time zone does not exist.
    """
    rows = number_rows(spine)
    counts = np.zeros((len(rows), N_WEEK_HOURS))
    with connect() as engine:
        engine.register("spine", rows)
        engine.register("presence", _place_in_week(_find_presence(tables), tables["customers"]))
        found = engine.execute(_COUNT).fetchnumpy()
    counts[found["row_id"], found["week_hour"]] = found["n"]
    return counts


def _find_presence(tables: Tables) -> pd.DataFrame:
    """customer_id and the moment (`at`) of everything a customer did."""
    parts = [pd.DataFrame({"customer_id": pd.Series(dtype="str"), "at": _no_moments()})]
    if "activity" in tables:
        parts.append(tables["activity"][["customer_id", "at"]])
    if "outcomes" in tables and "messages" in tables:
        outcomes = tables["outcomes"]
        opens = outcomes.loc[(outcomes["outcome"] == Outcome.OPENED) & ~outcomes["machine"]]
        sent = tables["messages"][["message_id", "customer_id", "sent_at"]]
        opens = opens[["message_id", "at"]].merge(sent, on="message_id")
        known_at = opens["at"].where(opens["at"] >= opens["sent_at"], opens["sent_at"])
        parts.append(opens[["customer_id"]].assign(at=known_at))
    return pd.concat(parts, ignore_index=True)


def _no_moments() -> "pd.Series[pd.Timestamp]":
    return pd.Series(dtype="datetime64[us, UTC]")


def _place_in_week(presence: pd.DataFrame, customers: pd.DataFrame) -> pd.DataFrame:
    """customer_id, week_hour and t (known: it happened to a customer who had signed up)."""
    code = pd.Index(customers["customer_id"]).get_indexer(pd.Index(presence["customer_id"]))
    presence, code = presence.loc[code >= 0], code[code >= 0]
    signed_up = customers["signed_up_at"].astype("int64").to_numpy()[code]
    zone_of, zones = pd.factorize(customers["timezone"])
    zone = zone_of[code]
    week_hour = np.zeros(len(presence), dtype=np.int64)
    for n, name in enumerate(zones):
        here = zone == n
        local = _to_wall_clock(presence["at"].loc[here], timezone=str(name))
        week_hour[here] = (local // MICROS_PER_HOUR + _EPOCH_HOUR) % N_WEEK_HOURS
    return pd.DataFrame(
        {
            "customer_id": presence["customer_id"],
            "t": np.maximum(presence["at"].astype("int64"), signed_up),
            "week_hour": week_hour,
        }
    )


def _to_wall_clock(moments: "pd.Series[pd.Timestamp]", *, timezone: str) -> npt.NDArray[np.int64]:
    """Microseconds of the clock on the wall, as if it showed UTC."""
    local = moments.dt.tz_convert(find_zone(timezone)).dt.tz_localize(None)
    return np.asarray(local.astype("int64"), dtype=np.int64)


def find_zone(timezone: str) -> ZoneInfo:
    """The time zone of that IANA name; BadInputError when there is none."""
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInputError(
            f"customers.timezone: {timezone!r} is not an IANA time zone such as Asia/Almaty"
        ) from error
