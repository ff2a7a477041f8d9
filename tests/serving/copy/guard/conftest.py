"""Fixtures of the guard's tests."""

import pytest

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand
from serving.copy.guard.grounds import Grounds


@pytest.fixture(scope="session")
def brand() -> Brand:
    return Brand(name="Teal", allowed_hosts=("teal.example",))


@pytest.fixture(scope="session")
def grounds(brand: Brand) -> Grounds:
    """Of a Russian marketing SMS; tests replace what they are about."""
    return Grounds(
        channel=Channel.SMS,
        language="ru",
        brand=brand,
        is_service=False,
        trigger=Trigger.CHURN_RISK,
    )
