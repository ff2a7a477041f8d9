"""What befalls many at once: regions that go down, and what people write in about it."""

import numpy as np

from features.vocabulary import Trigger
from training.world.clock import HOUR, SECOND, after, day_start
from training.world.facts.ledger import fact_keys
from training.world.life.rates import p_call
from training.world.life.realm import Realm
from training.world.people.places import INBOUND_SOURCES, LANGUAGES, REGIONS, SERVICES

_P_DOWN = 1.0 / 40.0  # per region and day
_P_WRITES_IN = 0.0004  # per customer and day
_N_SUBJECTS = 3


def disrupt(realm: Realm, day: int) -> None:
    """Disruptions that begin on the day; everyone in the region has a case while it lasts."""
    people = realm.people
    draws = realm.luck.of_day(day, subject="disruptions").random((4, len(REGIONS)))
    luck = realm.luck.of_day(day, subject="disrupted").random((2, people.n))
    regions = np.flatnonzero(draws[0] < _P_DOWN * realm.scenario.traffic)
    starts = day_start(day) + (draws[1, regions] * 86_400).astype(np.int64) * SECOND
    ends = after(starts, hours=4.0 + 20.0 * draws[2, regions])
    realm.facts.add(
        "disruptions",
        disruption_id=fact_keys(0, customer=regions, at=starts),
        region=regions,
        starts_at=starts,
        ends_at=ends,
        service=(draws[3, regions] * len(SERVICES)).astype(np.int64),
    )
    for region, begin, end in zip(regions, starts, ends, strict=True):
        who = np.flatnonzero((people.identity.region == region) & realm.life.present)
        realm.open_case(
            Trigger.SERVICE_DISRUPTION,
            customer=who,
            at=np.full(len(who), begin),
            closes_at=end,
            p_event=p_call(Trigger.SERVICE_DISRUPTION, calls=people.temper.calls[who]),
            luck=luck[:, who],
        )


def write_in(realm: Realm, day: int) -> None:
    """Short texts that arrive by themselves, some from nobody we know."""
    identity, n = realm.people.identity, realm.people.n
    luck = realm.luck.of_day(day, subject="inbound").random((5, n))
    who = np.flatnonzero((luck[0] < _P_WRITES_IN) & realm.life.present)
    at = day_start(day) + 5 * HOUR + (luck[1, who] * 15 * 3_600).astype(np.int64) * SECOND
    subject = (luck[2, who] * _N_SUBJECTS).astype(np.int64)
    realm.facts.add(
        "inbound",
        inbound_id=fact_keys(0, customer=who, at=at),
        at=at,
        customer_id=np.where(luck[3, who] < 0.2, -1, who),
        source=(luck[4, who] * len(INBOUND_SOURCES)).astype(np.int64),
        branch=np.where(luck[3, who] > 0.8, -1, identity.region[who]),
        text=subject * len(LANGUAGES) + identity.language[who],
    )
