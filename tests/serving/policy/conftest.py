"""Cases made by hand."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import numpy as np
import pytest

from features.vocabulary import Channel, Trigger
from serving.policy.cases import Cases, Contacts, to_us
from serving.policy.settings import PolicySettings, load_policy_settings

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
Contact = tuple[datetime, bool, bool]  # sent at, opened, about the same trigger

CaseMaker = Callable[..., Cases]


@pytest.fixture(scope="session")
def settings() -> PolicySettings:
    return load_policy_settings()


@pytest.fixture(scope="session")
def one_case() -> CaseMaker:
    def make(
        trigger: Trigger,
        *,
        decided_at: datetime = NOON,
        consents: Iterable[Channel] = tuple(Channel),
        timezone: str = "UTC",
        segment: str | None = None,
        contacts: Iterable[Contact] = (),
        known: bool = True,
        suppressed: bool = False,
        nine_is_active: bool = True,
        customer_id: str = "c1",
    ) -> Cases:
        listed = list(contacts)
        return Cases(
            trigger=trigger,
            customer_ids=(customer_id,),
            decided_at_us=np.array([to_us(decided_at)]),
            timezones=(timezone,),
            segments=(segment,),
            languages=("en",),
            consent=np.array([[channel in set(consents) for channel in Channel]]),
            known=np.array([known]),
            scored=np.array([False]),
            suppressed=np.array([suppressed]),
            nine_is_active=np.array([nine_is_active]),
            engagement=np.zeros((1, 0)),
            week_counts=np.zeros((1, 168)),
            contacts=Contacts(
                row=np.zeros(len(listed), dtype=np.int64),
                at_us=np.array([to_us(at) for at, _, _ in listed], dtype=np.int64),
                opened=np.array([opened for _, opened, _ in listed], dtype=bool),
                same_trigger=np.array([same for _, _, same in listed], dtype=bool),
            ),
        )

    return make
