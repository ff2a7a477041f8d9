"""Frames that are made whole each time: customers as known at a moment, and vendors."""

import numpy as np
import pandas as pd

from features.contracts import MARKETING
from features.vocabulary import Channel
from training.world.clock import NEVER, Ints
from training.world.facts.ledger import coded_series, times_series
from training.world.life.realm import Realm
from training.world.people.places import FIRST_NAMES, LANGUAGES, REGIONS, SEGMENTS

_NAMES = tuple(name for names in FIRST_NAMES for name in names)
_VENDOR_KINDS = ("courier", "taxi", "repair", "hotel")


def customers_frame(realm: Realm, *, until: int) -> pd.DataFrame:
    """Customers who signed up before the moment; a channel left before it has no consent."""
    identity = realm.people.identity
    known = np.flatnonzero(identity.signed_up_at < until)
    known = known[np.argsort(identity.signed_up_at[known], kind="stable")]
    left = realm.life.unsubscribed_at[known] < until
    consent = np.where(left, 0, identity.consent[known])
    return pd.DataFrame(
        {
            "customer_id": coded_series(known, identity.ids),
            "signed_up_at": times_series(identity.signed_up_at[known]),
            "first_name": coded_series(identity.first_name[known], _NAMES),
            "language": coded_series(identity.language[known], LANGUAGES),
            "timezone": coded_series(identity.region[known], [r.timezone for r in REGIONS]),
            "region": coded_series(identity.region[known], [r.name for r in REGIONS]),
            "segment": coded_series(identity.shown_segment[known], SEGMENTS),
            "preferred_channel": coded_series(identity.preferred_channel[known], tuple(Channel)),
            **{
                f"consent_{channel}": pd.Series(
                    pd.arrays.BooleanArray(consent[:, at] == 1, mask=consent[:, at] == -1)
                )
                for at, channel in enumerate(Channel)
            },
            **{f"{MARKETING}{channel}": _unsaid(len(known)) for channel in Channel},
            "active_from_hour": _hours(identity.active_from[known]),
            "active_to_hour": _hours(identity.active_to[known]),
            "known_at": times_series(np.full(len(known), NEVER)),
        }
    )


def vendors_frame() -> pd.DataFrame:
    """A vendor of each kind in each of the first regions; the same in every world."""
    places = [(kind, region.name) for kind in _VENDOR_KINDS for region in REGIONS[:4]]
    number = np.arange(len(places))
    return pd.DataFrame(
        {
            "vendor_id": pd.Series([f"v{n:03d}" for n in number], dtype="str"),
            "kind": pd.Series([kind for kind, _ in places], dtype="str"),
            "name": pd.Series([f"{region} {kind}" for kind, region in places], dtype="str"),
            "region": pd.Series([region for _, region in places], dtype="str"),
            "rating": 3.4 + (number * 7 % 16) / 10.0,
            "eta_minutes": 15.0 + number * 11 % 60,
            "whatsapp": number % 3 != 0,
            "rate_cents": pd.Series(800 + number * 370 % 4_000, dtype="Int64"),
        }
    )


def _unsaid(n: int) -> pd.Series:
    """Nobody was asked about marketing apart: n nulls."""
    return pd.Series(pd.arrays.BooleanArray(np.zeros(n, dtype=bool), mask=np.ones(n, dtype=bool)))


def _hours(hours: Ints) -> pd.Series:
    return pd.Series(pd.arrays.IntegerArray(hours.astype(np.int64), mask=hours == -1))
