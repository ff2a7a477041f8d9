"""Bursts seen, and those that are none."""

import json
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from serving.autopilot.detection.baseline import Baseline, Stream
from serving.autopilot.detection.bursts import Burst, BurstEnded, BurstGrew, EndReason, Taken
from serving.autopilot.detection.calibration import Calibration
from serving.autopilot.detection.detector import BurstDetector, Reaction, Sighting
from serving.autopilot.detection.settings import DetectionSettings
from tests.serving.autopilot.conftest import (
    HEAT,
    MINUTE_US,
    NOON_US,
    DetectorMaker,
    SightingMaker,
)

SEVEN = (0, 5, 11, 17, 24, 31, 40)


def _feed(detector: BurstDetector, seen: list[Sighting]) -> list[Reaction]:
    return [detector.take(one, now_us=one.at_us) for one in seen]


def _bursts(reactions: list[Reaction]) -> list[Burst]:
    return [news for one in reactions for news in one.news if isinstance(news, Burst)]


def test_detector_sees_seven_customers_in_forty_minutes(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    reactions = _feed(new_detector(), [sighting(m, f"c{m}") for m in SEVEN])
    (burst,) = _bursts(reactions)
    assert burst.stream == HEAT
    assert burst.first_at_us == NOON_US
    assert burst.detected_at_us == NOON_US + 11 * MINUTE_US
    assert burst.customer_ids == ("c0", "c5", "c11")
    assert burst.score >= burst.threshold
    assert burst.chance_per_week < 1.0
    assert burst.is_assumed
    grew = [news for one in reactions for news in one.news if isinstance(news, BurstGrew)]
    assert [one.n_customers for one in grew] == [4, 5, 6, 7]


def test_detector_is_not_fooled_by_two_people(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    seen = [sighting(m, f"c{n % 2}", message=f"m{n}") for n, m in enumerate(SEVEN)]
    reactions = _feed(new_detector(), seen)
    assert _bursts(reactions) == []
    assert [one.taken for one in reactions].count(Taken.COUNTED) == 2
    assert [one.taken for one in reactions].count(Taken.REPEATED) == 5


def test_detector_needs_one_more_customer_for_each_who_insists(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    pushing = [sighting(m, f"c{n % 2}", message=f"m{n}") for n, m in enumerate(SEVEN)]
    others = [sighting(45 + m, f"d{m}") for m in range(3)]
    reactions = _feed(new_detector(), [*pushing, *others])
    (burst,) = _bursts(reactions)
    assert len(burst.customer_ids) == 5
    assert burst.message_ids[-1] == others[-1].message_id


def test_detector_sees_a_crowd_that_insists(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    seen = [
        sighting(minute + again, f"c{minute}", message=f"m{minute}-{again}")
        for again in (0, 6, 12)
        for minute in SEVEN
    ]
    reactions = _feed(new_detector(), sorted(seen, key=lambda one: one.at_us))
    assert len(_bursts(reactions)) == 1


def test_detector_takes_a_complaint_in_pieces_for_one(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    seen = [
        sighting(minute + piece / 4, f"c{minute}", message=f"m{minute}-{piece}")
        for minute in SEVEN
        for piece in range(4)
    ]
    (burst,) = _bursts(_feed(new_detector(), seen))
    assert burst.detected_at_us == NOON_US + 11 * MINUTE_US


def test_detector_refuses_what_was_written_after_it_arrived(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    detector = new_detector()
    ahead = sighting(10, "c1")
    assert detector.take(ahead, now_us=NOON_US).taken is Taken.AHEAD
    assert detector.take(ahead, now_us=NOON_US + 6 * MINUTE_US).taken is Taken.COUNTED


def test_detector_ignores_strangers(new_detector: DetectorMaker, sighting: SightingMaker) -> None:
    reactions = _feed(new_detector(), [sighting(m, None, message=f"m{m}") for m in SEVEN])
    assert {one.taken for one in reactions} == {Taken.UNKNOWN_SENDER}
    assert _bursts(reactions) == []


def test_detector_takes_a_message_once(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    detector = new_detector()
    once = sighting(0, "c1")
    reactions = _feed(detector, [once, once, replace(once, message_id="other")])
    assert [one.taken for one in reactions] == [Taken.COUNTED, Taken.SEEN_BEFORE, Taken.REPEATED]


def test_detector_ignores_what_is_not_watched(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    stranger = replace(sighting(0, "c1"), stream=Stream("nowhere", "heat"))
    assert new_detector().take(stranger, now_us=stranger.at_us).taken is Taken.NOT_WATCHED


def test_detector_starts_nothing_with_what_comes_too_late(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    detector = new_detector()
    now_us = NOON_US + 400 * MINUTE_US
    reactions = [detector.take(sighting(m, f"c{m}"), now_us=now_us) for m in SEVEN]
    assert {one.taken for one in reactions[:5]} == {Taken.TOO_LATE}
    assert _bursts(reactions) == []


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_detector_sees_late_messages_where_they_belong(
    new_detector: DetectorMaker, sighting: SightingMaker, order: tuple[int, ...]
) -> None:
    detector = new_detector()
    seen = [sighting(m, f"c{m}") for m in (0, 5, 11)]
    now_us = NOON_US + 20 * MINUTE_US
    reactions = [detector.take(seen[row], now_us=now_us) for row in order]
    (burst,) = _bursts(reactions)
    assert burst.customer_ids == ("c0", "c5", "c11")
    assert burst.first_at_us == NOON_US
    assert burst.detected_at_us == now_us


@given(
    minutes=st.lists(st.integers(0, 300), min_size=1, max_size=8, unique=True),
    customers=st.lists(st.sampled_from("abcd"), min_size=8, max_size=8),
    data=st.data(),
)
def test_detector_counts_the_same_customers_in_any_order(
    chain: Baseline, calibration: Calibration, minutes: list[int], customers: list[str],
    data: st.DataObject,
) -> None:  # fmt: skip
    seen = [
        Sighting(f"m{minute}", NOON_US + minute * MINUTE_US, HEAT, customers[row])
        for row, minute in enumerate(minutes)
    ]
    now_us = NOON_US + 301 * MINUTE_US
    kept = []
    for order in (sorted(seen, key=lambda one: one.at_us), data.draw(st.permutations(seen))):
        settings = DetectionSettings()
        detector = BurstDetector(chain, calibration=calibration, settings=settings)
        for one in order:
            detector.take(one, now_us=now_us, may_alarm=False)
        entries = json.loads(detector.dump())["streams"]["abay\theat"]["entries"]
        kept.append([(entry["message_id"], entry["counts"]) for entry in entries])
    assert kept[0] == kept[1]


def test_detector_says_when_a_burst_is_over(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    detector = new_detector()
    _feed(detector, [sighting(m, f"c{m}") for m in SEVEN])
    assert detector.tick(NOON_US + 50 * MINUTE_US) == ()
    ended = [
        news for minute in range(55, 600, 5) for news in detector.tick(NOON_US + minute * MINUTE_US)
    ]
    assert len(ended) == 1
    assert ended[0].reason is EndReason.SILENCE
    assert ended[0].n_customers == 7
    assert ended[0].last_at_us == NOON_US + 40 * MINUTE_US
    assert 30 * MINUTE_US < ended[0].ended_at_us - ended[0].last_at_us < 240 * MINUTE_US
    assert detector.open_bursts() == {}


def test_detector_does_not_take_the_night_for_recovery(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    evening = 9 * 60 + 15  # 21:15, shortly before closing
    detector = new_detector()
    _feed(detector, [sighting(evening + m, f"c{m}") for m in SEVEN])
    assert len(detector.open_bursts()) == 1
    assert detector.tick(NOON_US + (evening + 40 + 150) * MINUTE_US) == ()


def test_detector_closes_what_never_ends(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    detector = new_detector(stale_hours=2.0)
    seen = [sighting(m, f"c{m}") for m in range(0, 200, 10)]
    ended = [n for one in _feed(detector, seen) for n in one.news if isinstance(n, BurstEnded)]
    assert ended[0].reason is EndReason.STALE


def test_detector_starts_no_second_burst_of_the_same_complaints(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    detector = new_detector()
    _feed(detector, [sighting(m, f"c{m}") for m in SEVEN])
    detector.tick(NOON_US + 600 * MINUTE_US)
    reactions = _feed(detector, [sighting(601, "d1"), sighting(603, "d2")])
    assert _bursts(reactions) == []


def test_detector_goes_on_from_its_kept_state(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    seen = [sighting(m, f"c{m}") for m in SEVEN]
    whole = _feed(new_detector(), seen)
    for cut in range(len(seen) + 1):
        first, second = new_detector(), new_detector()
        before = _feed(first, seen[:cut])
        second.restore(first.dump())
        assert [*before, *_feed(second, seen[cut:])] == whole
    assert len(new_detector().dump()) < 500 * 80


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (b'{"version": 9, "streams": {}}', "version 9, expected 1"),
        (b"{}", "version: Field required; streams: Field required"),
        (b"nonsense", "Invalid JSON"),
    ],
)
def test_detector_refuses_a_state_that_is_none(
    new_detector: DetectorMaker, state: bytes, words: str
) -> None:
    with pytest.raises(BadInputError, match=words):
        new_detector().restore(state)


def test_detector_learns_a_level_without_its_bursts(
    new_detector: DetectorMaker, sighting: SightingMaker
) -> None:
    calm, busy = new_detector(), new_detector()
    _feed(busy, [sighting(m, f"c{m}") for m in SEVEN])
    later_us = NOON_US + 7 * 24 * 60 * MINUTE_US
    busy.tick(later_us)
    _feed(calm, [sighting(0, "c1")])
    levels = [detector.level_per_day(HEAT, now_us=later_us) for detector in (calm, busy)]
    assert levels[1] <= levels[0] + 1e-9
    assert levels[0] == pytest.approx(0.5, rel=0.5)


def test_detector_learns_a_busier_level(chain: Baseline, calibration: Calibration) -> None:
    settings = DetectionSettings()
    detector = BurstDetector(chain, calibration=calibration, settings=settings)
    rng = np.random.default_rng(3)
    hours = np.sort(rng.uniform(0, 56 * 24, 56 * 3))
    for row, hour in enumerate(hours.tolist()):
        at_us = NOON_US + round(hour * 60) * MINUTE_US
        seen = Sighting(f"m{row}", at_us, HEAT, f"c{row}")
        detector.take(seen, now_us=at_us, may_alarm=False)
    now_us = NOON_US + 57 * 24 * 60 * MINUTE_US
    assert detector.level_per_day(HEAT, now_us=now_us) == pytest.approx(2.6, abs=0.6)
    assert detector.level_per_day(Stream("branch-1", "heat"), now_us=now_us) == pytest.approx(0.5)


def test_a_branch_more_shares_the_budget_and_is_watched(
    chain: Baseline, calibration: Calibration, new_detector: DetectorMaker
) -> None:
    detector = new_detector()
    stream = Stream("new branch", "heat")
    seen = Sighting("m1", NOON_US, stream, "c1")
    assert detector.take(seen, now_us=NOON_US).taken is Taken.NOT_WATCHED
    assert detector.watch("new branch")
    assert not detector.watch("new branch")
    assert detector.take(seen, now_us=NOON_US).taken is Taken.COUNTED
    assert detector.n_branches == 11
    shared = detector.calibration
    assert shared.promised == pytest.approx(calibration.promised)
    assert shared.n_streams == len(chain.streams) + 8
    assert shared.threshold_of(0.5) > calibration.threshold_of(0.5)


def test_one_stream_is_kept_alone(new_detector: DetectorMaker, sighting: SightingMaker) -> None:
    detector = new_detector()
    for minutes, customer in ((0, "c1"), (5, "c2"), (10, "c3")):
        detector.take(sighting(minutes, customer), now_us=NOON_US + minutes * MINUTE_US)
    kept = detector.dump([HEAT])
    assert len(kept) < len(detector.dump()) / 10
    again = new_detector()
    again.restore(kept)
    assert again.find_burst(HEAT) == detector.find_burst(HEAT) is not None


@pytest.mark.parametrize("has_more_levels", [True, False])
def test_another_detector_carries_on_and_keeps_the_better_level(
    new_detector: DetectorMaker, sighting: SightingMaker, has_more_levels: bool
) -> None:
    """Of who has seen more lately; bursts and the last day go on in either case."""
    day_us = 24 * 60 * MINUTE_US
    one, other = new_detector(), new_detector(trailing_days=20.0)
    learned = one if has_more_levels else other
    for day in range(1, 20):
        at_us = NOON_US - (22 - day) * day_us
        learned.take(Sighting(f"d{day}", at_us, HEAT, f"d{day}"), now_us=at_us)
    learned.level_per_day(HEAT, now_us=NOON_US - 2 * day_us)
    level = learned.level_per_day(HEAT, now_us=NOON_US)
    for minutes, customer in ((0, "c1"), (5, "c2"), (10, "c3")):
        one.take(sighting(minutes, customer), now_us=NOON_US + minutes * MINUTE_US)
    other.carry_over(one.dump())
    assert other.find_burst(HEAT) == one.find_burst(HEAT) is not None
    assert other.level_per_day(HEAT, now_us=NOON_US) == pytest.approx(level, rel=0.05)
    later = sighting(15, "c4")
    (grew,) = other.take(later, now_us=later.at_us).news
    assert isinstance(grew, BurstGrew)
    assert grew.n_customers == 4
