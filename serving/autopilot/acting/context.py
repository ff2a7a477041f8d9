"""What the actions of an incident work with."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from features.errors import BadInputError
from serving.autopilot.acting.house_words import HouseWords, find_language, load_house_words
from serving.autopilot.acting.settings import ActingSettings
from serving.autopilot.acting.topics import KIND
from serving.autopilot.acting.updates import Updates, load_updates
from serving.autopilot.acting.vendors import Vendor
from serving.autopilot.inbound.taxonomy import Taxonomy
from serving.copy.languages import Language
from serving.corridor.actions import ActionRequest
from serving.corridor.settings import BrokenCorridor, Corridor
from serving.store.bursts import BurstRow
from serving.store.flows import FlowRow
from serving.store.store import StoreSession
from serving.workflows.parts import ActingParts
from serving.workflows.telling import find_page

ACTOR = "autopilot"
NO_CURRENCY = "XXX"  # as ISO 4217 has it


@dataclass(frozen=True)
class Pilot:
    """What the autopilot needs beside the parts of all workflows.

    Attributes:
        settings: What it does.
        taxonomy: Topics that are in force.
        vendors: Who can help; asked for when help is.
        new_code: A fresh code for a credit, or for a vendor's answer, hard to guess.
    """

    settings: ActingSettings
    taxonomy: Taxonomy
    vendors: Callable[[], Sequence[Vendor]]
    new_code: Callable[[], str]

    @cached_property
    def words(self) -> HouseWords:
        """What the owner and vendors are told."""
        return load_house_words(self.settings.language)

    @cached_property
    def language(self) -> Language:
        """How amounts are written to them."""
        return find_language(self.settings.language)

    @cached_property
    def updates(self) -> Updates:
        """What customers are told."""
        return load_updates(self.settings.updates)


@dataclass(frozen=True)
class IncidentContext:
    """One incident, and what there is to act with.

    Attributes:
        workflow_id: `incident/` and the incident's identity; the subject of all it does.
    """

    workflow_id: str
    incident_id: str
    parts: ActingParts
    pilot: Pilot

    def read_burst(self, session: StoreSession) -> BurstRow:
        """The incident as it stands.

        Raises:
            BadInputError: There is none of that identity.
        """
        burst = session.bursts.find(self.incident_id)
        if burst is None:
            raise BadInputError(f"{self.workflow_id}: there is no incident {self.incident_id!r}")
        return burst

    @property
    def corridor(self) -> Corridor | BrokenCorridor:
        """What may be done, as its file says now."""
        return self.parts.desk().corridor

    @property
    def currency(self) -> str:
        """Of amounts; a broken corridor has none, and denies whatever is asked."""
        corridor = self.corridor
        return corridor.currency if isinstance(corridor, Corridor) else NO_CURRENCY

    @property
    def page(self) -> str | None:
        """The incident's page of the console; None where there is no console."""
        address = self.parts.console_address
        return find_page(KIND, self.workflow_id, address=address) if address else None

    def show_time(self, moment: datetime) -> str:
        """A moment of the day on the owner's clock, for a text that names the clock elsewhere."""
        return f"{moment.astimezone(ZoneInfo(self.parts.zone)):%H:%M}"

    def show_moment(self, moment: datetime) -> str:
        """A moment with its day on the owner's clock, likewise."""
        return f"{moment.astimezone(ZoneInfo(self.parts.zone)):%Y-%m-%d %H:%M}"

    def title_of(self, topic: str) -> str:
        """How a topic is named to the owner."""
        known = (one for one in self.pilot.taxonomy.topics if one.name == topic)
        titles = next((one.title for one in known), {})
        return titles.get(self.pilot.settings.language) or self.pilot.taxonomy.title_of(topic)

    def write_money(self, cents: int) -> str:
        """An amount of the corridor's currency, for the owner and vendors."""
        if self.currency == NO_CURRENCY:
            return f"{cents / 100:,.2f}"
        return self.pilot.language.write_money(cents, currency=self.currency)

    def request(
        self,
        action_id: str,
        kind: str,
        *,
        branch: str,
        amount_cents: int = 0,
        is_reversible: bool,
        vendor: str | None = None,
        customer: str | None = None,
    ) -> ActionRequest:
        """A request to the corridor about this incident."""
        return ActionRequest(
            action_id=action_id,
            kind=kind,
            subject=self.workflow_id,
            amount_cents=amount_cents,
            currency=self.currency,
            is_reversible=is_reversible,
            vendor=vendor,
            customer=customer,
            branch=branch,
        )


def make_context(flow: FlowRow, *, parts: ActingParts, pilot: Pilot) -> IncidentContext:
    """What the workflow of a row works with.

    Raises:
        BadInputError: It was not asked for with an incident.
    """
    given: object = json.loads(flow.given_json)
    incident_id = given.get("incident_id") if isinstance(given, dict) else None
    if not isinstance(incident_id, str):
        raise BadInputError(f"{flow.workflow_id}: expected an incident_id, got {flow.given_json}")
    return IncidentContext(flow.workflow_id, incident_id, parts, pilot)
