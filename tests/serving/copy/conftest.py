"""Fixtures of the copy tests."""

import pytest

from serving.copy.library import Library, default_library
from serving.copy.render import CopySettings


@pytest.fixture(scope="session")
def library() -> Library:
    return default_library()


@pytest.fixture(scope="session")
def settings() -> CopySettings:
    return CopySettings(
        brand="Teal & Co",
        currency="KZT",
        cta_base_url="https://shop.example",
        email_unsubscribe_url="https://shop.example/out?list=1&x=2",
    )
