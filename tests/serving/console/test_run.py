"""Where the review listens."""

import pytest

from features.errors import ConfigurationError
from serving.console.desk import Desk
from serving.console.gallery import Gallery
from serving.console.run import ReviewAddress, run_review
from serving.store.store import Store
from tests.serving.console.conftest import NOW


@pytest.mark.parametrize("port", [0, 48_211])
@pytest.mark.parametrize("host", ["192.0.2.1", "::1"])  # an address for documents, and IPv6
def test_run_review_refuses_hosts_that_it_cannot_listen_on(
    store: Store, gallery: Gallery, host: str, port: int
) -> None:
    said: list[str] = []

    with pytest.raises(ConfigurationError, match=f"cannot listen on {host}"):
        run_review(
            Desk(store.variants, clock=lambda: NOW),
            gallery=gallery,
            reviewer="Dana",
            say=said.append,
            address=ReviewAddress(host, port),
        )
    assert said == []
