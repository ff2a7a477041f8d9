"""Logins that do not look like the customer's own: each compared with what they did before.

Three signs: a new place, an odd hour on the customer's own clock, and travel that no airliner
makes. Each needs a history: whoever logs in for the first time, or has only a few logins, is not
suspected.
"""

from typing import Final

from features.point_in_time.expressions import write_double
from features.point_in_time.spine import MICROS_PER_HOUR
from features.triggers.rules import TriggerRule, grade, micros
from features.triggers.settings import TriggerSettings
from features.vocabulary import Trigger

NEW_PLACE: Final = "new place"
ODD_HOUR: Final = "odd hour"
FAST_TRAVEL: Final = "fast travel"

_EARTH_DIAMETER_KM = 12_742.0  # twice the mean radius


def _account_anomaly(at: int, settings: TriggerSettings) -> str:
    """Recent logins with a sign; of several with one place, the first."""
    since = at - micros(settings.login_lookback_days)
    signs = _write_signs()
    urgency = grade(
        significant="travel_km IS NOT NULL OR (n_places IS NOT NULL AND login_hour IS NOT NULL)",
        moderate="n_places IS NOT NULL",
    )
    return f"""
    WITH recent AS (
        SELECT customer_id, location, t, latitude, longitude FROM recent_activity
        WHERE kind = 'login' AND t >= {since}
    ), watched AS (SELECT DISTINCT customer_id FROM recent), logins AS (
        SELECT a.customer_id, a.location, a.t, a.latitude, a.longitude FROM recent_activity a
        JOIN watched w ON w.customer_id = a.customer_id WHERE a.kind = 'login'
    ), {_new_places(since)}, {_odd_hours(since, settings)}, {_fast_travels(since, settings)},
    strange AS (
        SELECT customer_id, t, MAX(location) AS location, MAX(n_places) AS n_places,
            MAX(login_hour) AS login_hour, MAX(usual_hour) AS usual_hour, MAX(n_logins) AS n_logins,
            MAX(n_logins_near) AS n_logins_near, MAX(travel_km) AS travel_km,
            MIN(travel_minutes) AS travel_minutes
        FROM (
            SELECT * FROM new_places UNION ALL SELECT * FROM odd_hours
            UNION ALL SELECT * FROM fast_travels
        ) s GROUP BY customer_id, t, COALESCE(location, '')
    ), firsts AS (
        SELECT s.*, ROW_NUMBER() OVER (
            PARTITION BY s.customer_id, COALESCE(s.location, '') ORDER BY s.t
        ) AS nth FROM strange s
    )
    SELECT customer_id, COALESCE(location, 'unknown place') AS subject, {urgency} AS urgency,
        t AS began_at, t + {micros(settings.login_lookback_days)} AS expires_at, 0 AS preference,
        location, t AS login_at, {signs} AS signs, n_places, login_hour, usual_hour, n_logins,
        n_logins_near, travel_km, travel_minutes
    FROM firsts WHERE nth = 1
    """


def _new_places(since: int) -> str:
    """The first login ever from a place, by someone whose logins had a place before."""
    return f"""places AS (
        SELECT customer_id, location, MIN(t) AS t FROM logins
        WHERE location IS NOT NULL GROUP BY customer_id, location
    ), numbered AS (
        SELECT p.*, RANK() OVER (PARTITION BY p.customer_id ORDER BY p.t) - 1 AS n_before
        FROM places p
    ), new_places AS (
        SELECT customer_id, t, location, CAST(n_before AS BIGINT) AS n_places,
            {_nulls("login_hour", "usual_hour", "n_logins", "n_logins_near")},
            {_nulls("travel_km", "travel_minutes")}
        FROM numbered WHERE n_before > 0 AND t >= {since}
    )"""


def _odd_hours(since: int, settings: TriggerSettings) -> str:
    """Logins in an hour of the customer's own day in which they were (almost) never seen."""
    gap = "ABS(e.hour - r.hour)"
    near = f"LEAST({gap}, 24 - {gap}) <= {settings.hour_within}"
    odd = write_double(settings.hour_odd_up_to)
    return f"""timed AS (
        SELECT l.customer_id, l.location, l.t,
            CAST(FLOOR(((l.t + z.ahead) % 86400000000) / {MICROS_PER_HOUR}e0) AS BIGINT) AS hour
        FROM logins l JOIN customers k ON k.customer_id = l.customer_id
            JOIN clocks z ON z.timezone = k.timezone AND z.begins_at <= l.t AND z.ends_at > l.t
        WHERE l.t >= {since - micros(settings.hour_history_days)}
    ), recent_hours AS (SELECT DISTINCT customer_id, t, hour FROM timed WHERE t >= {since}
    ), earlier AS (
        SELECT r.customer_id, r.t, r.hour, e.hour AS usual, COUNT(*) AS n,
            MAX(CASE WHEN {near} THEN 1 ELSE 0 END) AS is_near
        FROM recent_hours r JOIN timed e ON e.customer_id = r.customer_id AND e.t < r.t
            AND e.t >= r.t - {micros(settings.hour_history_days)}
        GROUP BY r.customer_id, r.t, r.hour, e.hour
    ), ranked AS (
        SELECT e.*, ROW_NUMBER() OVER (
            PARTITION BY e.customer_id, e.t ORDER BY e.n DESC, e.usual
        ) AS place FROM earlier e
    ), habits AS (
        SELECT customer_id, t, hour, CAST(SUM(n) AS BIGINT) AS n_logins,
            CAST(SUM(n * is_near) AS BIGINT) AS n_logins_near,
            MAX(CASE WHEN place = 1 THEN usual END) AS usual_hour
        FROM ranked GROUP BY customer_id, t, hour
    ), odd_hours AS (
        SELECT h.customer_id, h.t, r.location, CAST(NULL AS BIGINT) AS n_places,
            h.hour AS login_hour, h.usual_hour, h.n_logins, h.n_logins_near,
            {_nulls("travel_km", "travel_minutes")}
        FROM habits h JOIN recent r ON r.customer_id = h.customer_id AND r.t = h.t
        WHERE h.n_logins >= {settings.hour_min_logins}
            AND h.n_logins_near <= {odd} * h.n_logins
    )"""


def _fast_travels(since: int, settings: TriggerSettings) -> str:
    """Logins too far from the one before for the time between them."""
    half_turn = "SIN(RADIANS({0}) / 2e0) * SIN(RADIANS({0}) / 2e0)"
    chord = (
        f"{half_turn.format('latitude - latitude_before')} + COS(RADIANS(latitude))"
        f" * COS(RADIANS(latitude_before)) * {half_turn.format('longitude - longitude_before')}"
    )
    km = f"{write_double(_EARTH_DIAMETER_KM)} * ASIN(SQRT(LEAST(1e0, {chord})))"
    speed = write_double(settings.travel_km_per_hour)
    return f"""pairs AS (
        SELECT l.*, LAG(l.t) OVER w AS t_before, LAG(l.latitude) OVER w AS latitude_before,
            LAG(l.longitude) OVER w AS longitude_before
        FROM logins l WHERE l.latitude IS NOT NULL AND l.longitude IS NOT NULL
        WINDOW w AS (
            PARTITION BY l.customer_id ORDER BY l.t, l.latitude, l.longitude, l.location
        )
    ), distances AS (
        SELECT p.*, ROUND({km}) AS km FROM pairs p
        WHERE t >= {since} AND t_before IS NOT NULL
    ), fast_travels AS (
        SELECT customer_id, t, location, CAST(NULL AS BIGINT) AS n_places,
            {_nulls("login_hour", "usual_hour", "n_logins", "n_logins_near")},
            CAST(km AS BIGINT) AS travel_km,
            CAST(FLOOR((t - t_before) / 60000000e0) AS BIGINT) AS travel_minutes
        FROM distances
        WHERE km >= {write_double(settings.travel_from_km)}
            AND km * {MICROS_PER_HOUR}e0 > {speed} * (t - t_before)
    )"""


def _nulls(*names: str) -> str:
    return ", ".join(f"CAST(NULL AS BIGINT) AS {name}" for name in names)


def _write_signs() -> str:
    """The signs of a login in words, with commas between them."""
    new, odd = "n_places IS NOT NULL", "login_hour IS NOT NULL"
    fast = "travel_km IS NOT NULL"
    return (
        f"CASE WHEN {new} THEN '{NEW_PLACE}' ELSE '' END"
        f" || CASE WHEN {odd} THEN CASE WHEN {new} THEN ', ' ELSE '' END || '{ODD_HOUR}'"
        f" ELSE '' END || CASE WHEN {fast} THEN CASE WHEN {new} OR {odd} THEN ', ' ELSE '' END"
        f" || '{FAST_TRAVEL}' ELSE '' END"
    )


ANOMALY_RULE: Final = TriggerRule(
    Trigger.ACCOUNT_ANOMALY, ("activity",), _account_anomaly, told_by_subject=True
)
