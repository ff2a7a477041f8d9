"""Who can be told something, and how: a YAML file. There is no default."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.time_zones import TimezoneName
from serving.delivery.live.secrets import SecretRef
from serving.delivery.live.settings import RateSettings, WebhookSettings
from serving.delivery.settings import Sender
from serving.policy.settings import QuietHours, read_settings_file
from serving.store.notices import Party, PartyKind
from serving.store.rates import Rate

DEFAULT = "default"
"""The name of the entry for whoever of a kind has none of their own."""

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^@\x00-\x1f]+$")]
WayName = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[^@/\s]+$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WaySettings(_Settings):
    """One way to somebody: exactly one of `apprise`, `mail` and `webhook`.

    Attributes:
        apprise: Variable with an Apprise URL, such as tgram://token/chat; it is a secret.
        mail: An address, by the mail relay of the file of transports.
        webhook: A receiver of signed JSON, which may answer by what `workflow_id` and
            `reply_topic` name.
        rate: Limit of hand-overs; none when not given.
    """

    apprise: SecretRef | None = None
    mail: Sender | None = None
    webhook: WebhookSettings | None = None
    rate: RateSettings | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [n for n in ("apprise", "mail", "webhook") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError(f"expected one of apprise, mail, webhook; found {given or 'none'}")
        return self


class PartySettings(_Settings):
    """Somebody, and the ways to them: a notice goes on each.

    Attributes:
        kind: What they are.
        name: Which of them; `default`: whoever of that kind has no entry of their own. Vendors
            have no default.
        language: In which they are told.
        timezone: By whose clock they sleep.
        quiet_hours: When they are told nothing that is not urgent; never when not given.
        ways: By their names.
    """

    kind: PartyKind
    name: Name = DEFAULT
    language: str = Field(min_length=2, max_length=10)
    timezone: TimezoneName
    quiet_hours: QuietHours | None = None
    ways: dict[WayName, WaySettings] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_somebody(self) -> Self:
        if self.kind is PartyKind.VENDOR and self.name == DEFAULT:
            raise ValueError("name: a vendor is told by its own entry, not by one for all")
        return self

    @property
    def place(self) -> str:
        """Its place in the file."""
        return f"{self.kind.value}/{self.name}"


class PartySettingsFile(_Settings):
    """The file: everybody who can be told something; at least an owner."""

    parties: tuple[PartySettings, ...]  # a bound here would be told beside the fault of an entry

    @model_validator(mode="after")
    def _is_told_apart(self) -> Self:
        places = [one.place for one in self.parties]
        twice = sorted({place for place in places if places.count(place) > 1})
        if twice:
            raise ValueError(f"parties: {', '.join(twice)}: expected each once")
        if f"{PartyKind.OWNER.value}/{DEFAULT}" not in places:
            raise ValueError("parties: expected an owner with the name default")
        return self

    def find(self, party: Party) -> PartySettings | None:
        """The entry of a party, or of whoever of that kind has none; None: there is neither."""
        by_place = {one.place: one for one in self.parties}
        own = by_place.get(f"{party.kind.value}/{party.name}")
        return own or by_place.get(f"{party.kind.value}/{DEFAULT}")

    def list_ways(self) -> dict[str, WaySettings]:
        """Every way, by its place: kind/name/way."""
        return {
            f"{party.place}/{name}": way
            for party in self.parties
            for name, way in party.ways.items()
        }

    def find_rates(self) -> dict[str, Rate]:
        """Limits by the place of the way, where there are any."""
        ways = self.list_ways()
        return {place: way.rate.to_rate() for place, way in ways.items() if way.rate is not None}


def load_parties(path: Path) -> PartySettingsFile:
    """The parties in that file; ConfigurationError names every fault."""
    return read_settings_file(path, PartySettingsFile, what="parties")
