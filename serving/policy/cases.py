"""The cases of one trigger in columns: what guards, values and choice work on.

Arrays have one row per case. Moments are int64 UTC microseconds, so that the same code decides
one case in a request and a million in a batch.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from features.vocabulary import Trigger

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
QUARTER_US = HOUR_US // 4
NEVER_US = 2**62
"""Later than any moment."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch of an aware moment, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_us(moment_us: int) -> datetime:
    """The aware moment of as many microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=int(moment_us))


@dataclass(frozen=True)
class Contacts:
    """Past and planned contacts of the cases' customers, one entry each, in any order.

    A notice over several channels is one contact.

    Attributes:
        row: Row of the case it belongs to.
        at_us: When it was or will be sent.
        opened: Whether a human opened or clicked it.
        same_trigger: Whether it was about the case's own trigger.
    """

    row: Ints
    at_us: Ints
    opened: Flags
    same_trigger: Flags

    @classmethod
    def none(cls) -> "Contacts":
        """No contacts at all."""
        return cls(
            np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool), np.empty(0, bool)
        )


@dataclass(frozen=True)
class Occasions:
    """What is known of the occasions and of what hangs on the customers, n rows; NaN is unknown.

    Attributes:
        age_hours: Since the problem or occasion began, (n,).
        expires_us: Last moment at which it may be told, UTC microseconds, (n,); `NEVER_US`.
        amount_cents: Amount of the purchase in question, (n,).
        mrr_cents: Monthly revenue of the subscription, (n,).
        orders: Orders of 90 days, (n,).
        order_cents: Amount of these orders, (n,).
        p_churn: Churn score, (n,).
    """

    age_hours: Floats
    expires_us: Ints
    amount_cents: Floats
    mrr_cents: Floats
    orders: Floats
    order_cents: Floats
    p_churn: Floats

    @classmethod
    def unknown(cls, n: int) -> "Occasions":
        """Nothing is known of n occasions."""
        nan = np.full(n, np.nan)
        return cls(nan, np.full(n, NEVER_US, dtype=np.int64), nan, nan, nan, nan, nan)


@dataclass(frozen=True)
class Pauses:
    """Stretches in which marketing rests for the cases' customers, one entry each, in any order.

    Attributes:
        row: Row of the case it holds for.
        from_us: First moment without marketing.
        until_us: First moment with it again.
    """

    row: Ints
    from_us: Ints
    until_us: Ints

    @classmethod
    def none(cls) -> "Pauses":
        """No pauses at all."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64))


@dataclass(frozen=True)
class Cases:
    """Cases of one trigger.

    Attributes:
        trigger: The trigger of all of them.
        customer_ids: Whom they are about.
        decided_at_us: When they are decided, (n,).
        timezones: IANA names, n of them.
        segments: Segments of the customers, n of them; None where unknown.
        languages: Languages of the customers, n of them.
        consent: Consent by channel in the order of `Channel`, (n, 5); unknown is False.
        known: Whether anything is known of the customer (tables or profile), (n,).
        scored: Whether the models know the customer, (n,).
        suppressed: Customers who must not be written to at all, (n,).
        nine_is_active: Whether 9:00 lies in the customer's active hours, (n,).
        engagement: Features of the channel model, (n, features); NaN is null.
        week_counts: Activity by local hour of the week, (n, 168).
        contacts: Past and planned contacts.
        known_occasions: What is known of the occasions; None: nothing.
        marketing_consent: Consent to marketing by channel, (n, 5); None where it is not told
            apart from the consent to the channel.
        reachable: Channels that a message can arrive on, (n, 5); None where nothing is known.
        pauses: When marketing rests.
    """

    trigger: Trigger
    customer_ids: tuple[str, ...]
    decided_at_us: Ints
    timezones: tuple[str, ...]
    segments: tuple[str | None, ...]
    languages: tuple[str, ...]
    consent: Flags
    known: Flags
    scored: Flags
    suppressed: Flags
    nine_is_active: Flags
    engagement: Floats
    week_counts: Floats
    contacts: Contacts = field(default_factory=Contacts.none)
    known_occasions: Occasions | None = None
    marketing_consent: Flags | None = None
    reachable: Flags | None = None
    pauses: Pauses = field(default_factory=Pauses.none)

    @property
    def occasions(self) -> Occasions:
        """What is known of the occasions, n rows."""
        return self.known_occasions or Occasions.unknown(self.n)

    @property
    def n(self) -> int:
        """Number of cases."""
        return len(self.customer_ids)
