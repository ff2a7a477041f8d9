"""Drawing the customers of a world.

What decides about a message (taste for channels and wordings, patience, rhythm) follows mostly from
segment, language and habits that the tables show, plus a smaller part of each customer's own: an
engine can learn much of it, never all.
"""

from typing import Final

import numpy as np

from training.world.clock import Floats, Ints, Micros, day_start
from training.world.luck import Luck
from training.world.people.places import (
    FIRST_NAMES,
    LANGUAGES,
    PLAN_LIMITS,
    PLANS,
    REGIONS,
    SEGMENTS,
    ZONES,
)
from training.world.people.population import (
    N_CHANNELS,
    N_TASTES,
    Account,
    Identity,
    Population,
    Rhythm,
    Taste,
    Temper,
)

_JOIN_LATER_DAYS = 60

# What customers are like: means, by segment where they differ, and spreads (sd of the logarithm).
VISITS_PER_DAY = np.array([0.34, 0.26, 0.30, 0.38, 0.18])
VISITS_SD: Final = 0.5
UNHAPPY = np.array([1.3, 0.8, 1.1, 0.7, 0.9])
UNHAPPY_SD: Final = 0.6
P_TURN: Final = 0.0032
P_LEAVE: Final = 0.0003
P_LOSE: Final = 0.026
P_RECOVER: Final = 0.024
MOOD_SD: Final = 0.3
P_LATE: Final = 0.06
LATE_SD: Final = 0.8


def draw_population(luck: Luck, *, n: int, history_days: int) -> Population:
    """Customers of the world with this luck; some join during the history, some after it."""
    segment = luck.of_day(0, subject="segment").choice(
        len(SEGMENTS), size=n, p=[0.20, 0.28, 0.24, 0.13, 0.15]
    )
    rhythm = _draw_rhythm(luck.of_day(0, subject="rhythm"), segment)
    region = luck.of_day(0, subject="region").choice(
        len(REGIONS), size=n, p=[region.share for region in REGIONS]
    )
    language = _draw_language(luck.of_day(0, subject="language"), region)
    taste = _draw_taste(luck.of_day(0, subject="taste"), segment, language)
    return Population(
        identity=_draw_identity(
            luck.of_day(0, subject="identity"),
            segment,
            region,
            language,
            rhythm,
            taste,
            history_days,
        ),
        rhythm=rhythm,
        taste=taste,
        temper=_draw_temper(luck.of_day(0, subject="temper"), segment),
        account=_draw_account(luck.of_day(0, subject="account"), segment),
    )


def _spread(rng: np.random.Generator, n: int, sd: float) -> Floats:
    """Log-normal factors with mean 1."""
    factors: Floats = np.exp(rng.normal(-0.5 * sd * sd, sd, n))
    return factors


def _draw_language(rng: np.random.Generator, region: Ints) -> Ints:
    shares = np.cumsum([r.languages for r in REGIONS], axis=1)
    language: Ints = (rng.random(len(region))[:, None] > shares[region]).sum(axis=1)
    return np.minimum(language, len(LANGUAGES) - 1)


def rhythm_weights(segment: Ints) -> Floats:
    """Dirichlet weights with which customers of these segments mix the archetypes, (n, 8)."""
    weights: Floats = 0.7 * _SEGMENT_RHYTHM[segment]
    return weights


def archetypes() -> Floats:
    """Eight weeks of hours, (8, 168): morning to night, on workdays, then at weekends."""
    hours = np.arange(24)
    bumps = []
    for centre, width in ((7.5, 1.6), (12.8, 1.7), (19.8, 2.0), (23.3, 1.8)):
        distance = np.minimum(np.abs(hours - centre), 24 - np.abs(hours - centre))
        bumps.append(np.exp(-0.5 * (distance / width) ** 2) + 0.012)
    weeks = []
    for weekday, weekend in ((1.0, 0.35), (0.55, 1.6)):
        for bump in bumps:
            late = np.roll(bump, 1)  # people get up later on free days
            weeks.append(np.concatenate([np.tile(bump, 5) * weekday, np.tile(late, 2) * weekend]))
    table = np.array(weeks)
    shares: Floats = table / table.sum(axis=1, keepdims=True)
    return shares


_SEGMENT_RHYTHM = np.array(
    # morning, lunch, evening, night on workdays, then the same for weekend people
    [
        [0.2, 0.8, 1.6, 2.4, 0.1, 0.3, 0.8, 1.2],
        [0.9, 0.6, 2.2, 0.3, 0.6, 0.8, 1.6, 0.2],
        [1.6, 2.2, 1.8, 0.4, 0.2, 0.3, 0.5, 0.2],
        [2.2, 2.0, 0.7, 0.1, 0.1, 0.1, 0.2, 0.1],
        [2.6, 1.6, 0.8, 0.1, 0.7, 0.5, 0.3, 0.1],
    ]
)


def _draw_rhythm(rng: np.random.Generator, segment: Ints) -> Rhythm:
    shares = rng.standard_gamma(rhythm_weights(segment)) + 1e-6
    shares /= shares.sum(axis=1, keepdims=True)
    week = (shares @ archetypes()).astype(np.float32)
    visits = VISITS_PER_DAY[segment] * _spread(rng, len(segment), VISITS_SD)
    return Rhythm(week, np.clip(visits, 0.02, 0.85))


_SEGMENT_CHANNEL = np.array(
    # email, sms, push, in_app, whatsapp
    [
        [-0.55, -0.25, 0.45, 0.25, 0.30],
        [0.05, 0.10, 0.05, -0.25, 0.35],
        [0.35, -0.30, 0.20, 0.15, -0.20],
        [0.60, -0.15, -0.35, 0.30, -0.45],
        [0.15, 0.50, -0.80, -0.60, -0.10],
    ]
)
_LANGUAGE_CHANNEL = np.array(
    [[0.05, 0.0, 0.0, 0.0, -0.10], [-0.20, 0.10, 0.0, 0.0, 0.25], [0.25, -0.25, 0.05, 0.05, -0.1]]
)
_SEGMENT_WORDING = np.array(
    [[0.9, -0.8, 0.4], [0.6, 0.7, -0.5], [-0.7, 0.3, 0.8], [-1.0, -0.3, -0.4], [0.4, 0.9, 0.3]]
)


def _draw_taste(rng: np.random.Generator, segment: Ints, language: Ints) -> Taste:
    n = len(segment)
    own_channel = rng.normal(0.0, 0.13, (n, N_CHANNELS))
    own_wording = rng.normal(0.0, 0.20, (n, N_TASTES))
    # After a change each segment likes what another one liked; customers' own part stays.
    after = np.array([2, 4, 0, 1, 3])
    seasons = (segment, after[segment])
    channel = np.stack(
        [np.exp(_SEGMENT_CHANNEL[s] + _LANGUAGE_CHANNEL[language] + own_channel) for s in seasons]
    )
    wording = np.stack([_SEGMENT_WORDING[s] + own_wording for s in seasons])
    frugal = np.array([0.72, 0.55, 0.35, 0.25, 0.65])[segment]
    price = np.clip(frugal + rng.normal(0.0, 0.10, n), 0.02, 0.98)
    return Taste(channel, wording, price, thrift=1.0 + 1.6 * price)


def _draw_temper(rng: np.random.Generator, segment: Ints) -> Temper:
    n = len(segment)
    touchy = np.array([0.6, 0.9, 1.3, 2.2, 0.8])[segment] * _spread(rng, n, 0.3)
    unhappy = UNHAPPY[segment] * _spread(rng, n, UNHAPPY_SD)
    return Temper(
        saturation=np.clip(0.12 * touchy, 0.02, 0.6),
        recovery_hours=np.clip(96.0 * _spread(rng, n, 0.3), 36.0, 240.0),
        p_unsubscribe=0.0050 * touchy,
        p_irritate=0.0011 * touchy,
        p_turn=np.clip(P_TURN * unhappy, 0.0004, 0.03),
        p_leave=np.full(n, P_LEAVE),
        p_lose=np.clip(P_LOSE * _spread(rng, n, MOOD_SD), 0.008, 0.08),
        p_recover=np.clip(P_RECOVER * _spread(rng, n, MOOD_SD), 0.006, 0.08),
        p_late=np.clip(P_LATE * _spread(rng, n, LATE_SD), 0.0, 0.6),
        calls=np.array([0.7, 1.1, 0.9, 1.2, 1.3])[segment] * _spread(rng, n, 0.25),
    )


def _draw_account(rng: np.random.Generator, segment: Ints) -> Account:
    n = len(segment)
    shares = np.cumsum(
        [
            [0.70, 0.25, 0.04, 0.01],
            [0.35, 0.50, 0.12, 0.03],
            [0.25, 0.45, 0.25, 0.05],
            [0.05, 0.25, 0.45, 0.25],
            [0.65, 0.30, 0.04, 0.01],
        ],
        axis=1,
    )
    plan = np.minimum((rng.random(n)[:, None] > shares[segment]).sum(axis=1), len(PLANS) - 1)
    scanned = rng.random(n) < np.array([0.02, 0.03, 0.10, 0.35, 0.02])[segment]
    return Account(
        plan=plan,
        card_days=rng.integers(31, 36 * 30, n),
        invoice_day=rng.integers(1, 29, n),
        usage_ratio=np.where(
            np.isnan(np.array(PLAN_LIMITS)[plan]), 0.0, 0.55 * _spread(rng, n, 0.45)
        ),
        proxied=rng.random(n) < 0.15,
        scanned=scanned,
    )


def _draw_identity(
    rng: np.random.Generator,
    segment: Ints,
    region: Ints,
    language: Ints,
    rhythm: Rhythm,
    taste: Taste,
    history_days: int,
) -> Identity:
    n = len(segment)
    names = rng.integers(0, len(FIRST_NAMES[0]), n) + language * len(FIRST_NAMES[0])
    favourite = taste.channel[0].argmax(axis=1)
    guessed = np.where(rng.random(n) < 0.75, favourite, rng.integers(0, N_CHANNELS, n))
    active_from, active_to = _active_hours(rhythm)
    hidden_hours = rng.random(n) < 0.30
    return Identity(
        ids=[f"c{number:06d}" for number in range(n)],
        signed_up_at=_draw_sign_up(rng, n, history_days),
        first_name=np.where(rng.random(n) < 0.04, -1, names),
        language=language,
        region=region,
        zone=np.array([ZONES.index(r.timezone) for r in REGIONS])[region],
        segment=segment,
        shown_segment=np.where(rng.random(n) < 0.03, -1, segment),
        preferred_channel=np.where(rng.random(n) < 0.55, guessed, -1),
        consent=_draw_consent(rng, n),
        active_from=np.where(hidden_hours, -1, active_from),
        active_to=np.where(hidden_hours, -1, active_to),
    )


def _draw_sign_up(rng: np.random.Generator, n: int, history_days: int) -> Micros:
    """80 % before the epoch (up to three years), 15 % during the history, 5 % in 60 days after."""
    when = rng.random(n)
    share = rng.random(n)
    days = np.where(
        when < 0.80,
        -1.0 - 1095.0 * share**1.5,
        np.where(when < 0.95, share * history_days, history_days + share * _JOIN_LATER_DAYS),
    )
    return day_start(0) + (days * 86_400).astype(np.int64) * 1_000_000


def _draw_consent(rng: np.random.Generator, n: int) -> Ints:
    given = rng.random((n, N_CHANNELS)) < np.array([0.90, 0.72, 0.70, 0.93, 0.55])
    unknown = rng.random((n, N_CHANNELS)) < 0.03
    return np.where(unknown, -1, given.astype(np.int64))


def _active_hours(rhythm: Rhythm) -> tuple[Ints, Ints]:
    """First and last hour of the ten-hour window of the day that holds most visits."""
    day = rhythm.week.reshape(-1, 7, 24).sum(axis=1)
    wrapped = np.concatenate([day, day[:, :10]], axis=1).cumsum(axis=1)
    window = wrapped[:, 9:33] - np.concatenate([np.zeros((len(day), 1)), wrapped[:, :23]], axis=1)
    first = window.argmax(axis=1)
    return first, (first + 10) % 24
