"""Whom to ask for help."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.vendors import Vendor, read_vendors, shortlist
from tests.conftest import frame_of
from tests.serving.autopilot.acting.chain import VENDORS

RULES = load_acting_settings().vendors
COOL = VENDORS[0]


def ids_of(vendors: list[Vendor], *, region: str | None = "almaty") -> list[str]:
    found = shortlist(vendors, kinds=["hvac"], region=region, rules=RULES)
    return [one.vendor.vendor_id for one in found.ranked]


def test_shortlist_orders_by_rating_then_time_and_says_why_others_are_passed_over() -> None:
    found = shortlist(VENDORS, kinds=["hvac"], region="almaty", rules=RULES)
    assert [one.vendor.vendor_id for one in found.ranked] == ["cool-air", "klima"]
    assert {one.vendor_id: one.why for one in found.passed} == {
        "star": "4 reviews, at least 20",
        "far": "80 km away, at most 25",
        "mute": "cannot be reached: no WhatsApp, and no number that was tried",
    }


def test_shortlist_draws_a_rating_of_few_reviews_to_the_mean_of_its_kind() -> None:
    few = replace(COOL, vendor_id="few", rating=5.0, n_reviews=25)
    many = replace(COOL, vendor_id="many", rating=4.6, n_reviews=1_000)
    found = shortlist([few, many], kinds=["hvac"], region=None, rules=RULES)
    rated = {one.vendor.vendor_id: one.shrunk_rating for one in found.ranked}
    mean = (25 * 5.0 + 1_000 * 4.6) / 1_025
    assert rated["few"] == pytest.approx((25 * 5.0 + 30 * mean) / 55)
    assert rated["many"] == pytest.approx((1_000 * 4.6 + 30 * mean) / 1_030)


def test_shortlist_lets_the_time_decide_between_ratings_that_are_nearly_equal() -> None:
    slow = replace(COOL, vendor_id="slow", rating=4.71, eta_minutes=90)
    quick = replace(COOL, vendor_id="quick", rating=4.70, eta_minutes=20)
    assert ids_of([slow, quick]) == ["quick", "slow"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"eta_minutes": 181.0}, "181 minutes to come, at most 180"),
        ({"rate_cents": 2_000_001}, "costs 20,000.01, at most 20,000.00"),
        ({"distance_km": None, "region": "astana"}, "works in astana, not in almaty"),
        ({"rating": 3.0}, "rating 3.00 after shrinking, at least 3.5"),
    ],
)
def test_shortlist_passes_over(change: dict[str, float | str | None], why: str) -> None:
    one = replace(COOL, **change)  # type: ignore[arg-type]  # fields by name
    found = shortlist([one], kinds=["hvac"], region="almaty", rules=RULES)
    assert [passed.why for passed in found.passed] == [why]


def test_shortlist_counts_no_reviews_where_nobody_does() -> None:
    plain = [
        replace(COOL, vendor_id=name, rating=rating, n_reviews=None, eta_minutes=eta)
        for name, rating, eta in (("a", 4.9, 60.0), ("b", 4.0, 10.0))
    ]
    assert ids_of(plain) == ["b", "a"]  # ratings of unknown weight say nothing: the time does


@given(
    rating=st.floats(0, 5),
    n_reviews=st.integers(0, 10_000),
    others=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 10_000)), max_size=5),
)
def test_shrunk_rating_lies_between_its_own_and_the_mean(
    rating: float, n_reviews: int, others: list[tuple[float, int]]
) -> None:
    loose = RULES.model_copy(update={"least_reviews": 0, "least_rating": 0.0})
    vendors = [replace(COOL, rating=rating, n_reviews=n_reviews)]
    vendors += [
        replace(COOL, vendor_id=f"v{n}", rating=one, n_reviews=count)
        for n, (one, count) in enumerate(others)
    ]
    found = shortlist(vendors, kinds=["hvac"], region="almaty", rules=loose)
    mine = next(one for one in found.ranked if one.vendor.vendor_id == "cool-air")
    ratings = [vendor.rating for vendor in vendors]
    assert min(ratings) - 1e-9 <= mine.shrunk_rating <= max(ratings) + 1e-9


def test_read_vendors_takes_the_optional_columns_that_are_there() -> None:
    row = {
        "vendor_id": "v1",
        "kind": "hvac",
        "name": "Cool",
        "region": "almaty",
        "rating": 4.5,
        "eta_minutes": 30.0,
        "whatsapp": True,
        "rate_cents": 500_000,
    }
    plain = frame_of("vendors", [row])
    (vendor,) = read_vendors(plain)
    assert (vendor.n_reviews, vendor.distance_km, vendor.phone_verified) == (None, None, None)
    extra = plain.assign(n_reviews=12, distance_km=pd.Series([float("nan")]), phone_verified=True)
    (vendor,) = read_vendors(extra)
    assert (vendor.n_reviews, vendor.distance_km, vendor.phone_verified) == (12, None, True)
