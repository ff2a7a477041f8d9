"""What the autopilot does about a burst, as data: whom it asks, and how much it gives."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.policy.settings import read_settings_file

_DEFAULTS = Path(__file__).with_name("defaults.yaml")

Minutes = Annotated[int, Field(ge=1, le=24 * 60)]
Cents = Annotated[int, Field(ge=0, le=10**12, strict=True)]
Name = Annotated[str, Field(min_length=1, max_length=100)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VendorRules(_Data):
    """Who is asked for help, and for how much.

    Attributes:
        least_reviews: With fewer a vendor is passed over, where reviews are known at all.
        prior_reviews: Weight of the mean rating, in reviews.
        least_rating: After shrinking.
        most_km: Where the distance is known.
        most_eta_minutes: By the table, and by the vendor's own answer.
        most_asked: Vendors that are asked, one after the other.
        answer_minutes: Silence for as long is a no.
        confirm_minutes: Within these a booked vendor confirms.
        book_cents: What a visit may cost; a dearer offer is put to the corridor, and refused there
            where it is more than that allows.
    """

    least_reviews: Annotated[int, Field(ge=0)]
    prior_reviews: Annotated[float, Field(gt=0)]
    least_rating: Annotated[float, Field(ge=0)]
    most_km: Annotated[float, Field(gt=0)]
    most_eta_minutes: Minutes
    most_asked: Annotated[int, Field(ge=1, le=10)]
    answer_minutes: Minutes
    confirm_minutes: Minutes
    book_cents: Cents


class MessageRules(_Data):
    """Writing to those affected.

    Attributes:
        cents: Set aside for each customer; what sending costs is settled.
        most_at_once: Customers of one action.
        room_for_more: Customers who may join a first update until it goes out.
    """

    cents: Cents
    most_at_once: Annotated[int, Field(ge=1, le=1_000)]
    room_for_more: Annotated[int, Field(ge=0, le=1_000)]


class CompensationRules(_Data):
    """Who gets something, and what.

    Attributes:
        cents: To each.
        most_customers: At most so many of one incident.
        visit_kinds: Kinds of `activity` that show that somebody was there.
        hours_before: A visit counts from so long before the first complaint.
        valid_days: How long a credit can be used.
    """

    cents: Annotated[int, Field(ge=1, le=10**12, strict=True)]
    most_customers: Annotated[int, Field(ge=0, le=10_000)]
    visit_kinds: Annotated[tuple[Name, ...], Field(min_length=1)]
    hours_before: Annotated[float, Field(gt=0, le=72)]
    valid_days: Annotated[int, Field(ge=1, le=730)]


class RecoveryRules(_Data):
    """When an incident is over.

    Attributes:
        quiet_minutes: Without a complaint after the end of the burst.
        most_hours: Then it is closed as it stands.
    """

    quiet_minutes: Minutes
    most_hours: Annotated[int, Field(ge=1, le=72)]  # which the steps have room for


class ActingSettings(_Data):
    """What the autopilot does.

    Attributes:
        language: Of what the owner and vendors are told.
        updates: Words to customers: the name of a file that ships, or a path.
        helpers: Kinds of vendors by topic.
        regions: Of branches, as vendors name them.
        vendors: Whom it asks.
        messages: To customers.
        compensation: What it gives.
        recovery: When it is over.
    """

    language: Literal["en", "ru", "kk"]
    updates: Name
    helpers: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]]
    regions: dict[Name, Name] = {}
    vendors: VendorRules
    messages: MessageRules
    compensation: CompensationRules
    recovery: RecoveryRules


def load_acting_settings(path: Path | None = None) -> ActingSettings:
    """The settings in that file, or the ones that ship; ConfigurationError names every fault.

    >>> load_acting_settings().helpers["heat"]
    ('hvac',)
    """
    return read_settings_file(path or _DEFAULTS, ActingSettings, what="autopilot settings")
