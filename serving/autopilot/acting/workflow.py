"""The workflow of an incident: its steps, actions and conditions."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from features.errors import ConfigurationError
from features.sources import Location, read_tables
from serving.autopilot.acting.amending import MakeAmends
from serving.autopilot.acting.closing import CloseIncident, ResumeMarketing
from serving.autopilot.acting.context import IncidentContext, Pilot, make_context
from serving.autopilot.acting.pausing import PauseMarketing
from serving.autopilot.acting.responding import Respond
from serving.autopilot.acting.settings import load_acting_settings
from serving.autopilot.acting.telling import TellOwner
from serving.autopilot.acting.topics import KIND
from serving.autopilot.acting.vendors import Vendor, read_vendors
from serving.autopilot.acting.watching import (
    KeepInformed,
    has_recovered,
    is_closed_by_human,
    is_over,
)
from serving.autopilot.inbound.taxonomy import Taxonomy
from serving.settings import Settings
from serving.workflows.actions import Action, Condition
from serving.workflows.catalogue import Workflow
from serving.workflows.parts import ActingParts
from serving.workflows.spec import WorkflowSpec, load_spec

_SPEC: Final = Path(__file__).with_name("incident.yaml")
_CODE_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"  # none that make words or look like figures
_CODE_LENGTH: Final = 9

ACTIONS: Final[Mapping[str, Action[IncidentContext]]] = {
    "tell_owner": TellOwner(),
    "pause_marketing": PauseMarketing(),
    "respond": Respond(),
    "keep_informed": KeepInformed(),
    "resume_marketing": ResumeMarketing(),
    "make_amends": MakeAmends(),
    "close_incident": CloseIncident(),
}

CONDITIONS: Final[Mapping[str, Condition[IncidentContext]]] = {
    "is_closed_by_human": is_closed_by_human,
    "is_over": is_over,
    "has_recovered": has_recovered,
}


def load_incident_spec(path: Path | None = None) -> WorkflowSpec:
    """The steps in that file, or those that ship.

    >>> [step.name for step in load_incident_spec().steps]
    ['tell', 'pause', 'respond', 'watch']
    """
    return load_spec(path or _SPEC)


def make_incident_workflow(
    parts: ActingParts, *, pilot: Pilot, spec: WorkflowSpec | None = None
) -> Workflow[IncidentContext]:
    """The workflow of incidents, by the steps that ship unless others are given.

    Raises:
        ConfigurationError: Steps name actions or conditions that are not there; words lack topics
            of the taxonomy.
    """
    _require_words(pilot)
    steps = load_incident_spec() if spec is None else spec
    workflow = Workflow(
        kind=KIND,
        choose_spec=lambda _: steps,
        actions=ACTIONS,
        conditions=CONDITIONS,
        make_context=lambda flow: make_context(flow, parts=parts, pilot=pilot),
    )
    workflow.require_known(steps)
    return workflow


def wire_pilot(settings: Settings, *, taxonomy: Taxonomy, data: Location | None = None) -> Pilot:
    """What the autopilot needs, by the settings of an installation.

    Args:
        settings: With the autopilot's file.
        taxonomy: Of the watcher.
        data: Tables with `vendors`, which are read now: help is looked for in a transaction.

    Raises:
        ConfigurationError: A file cannot be read, or is wrong.
    """
    vendors = read_known_vendors(data)
    return Pilot(
        settings=load_acting_settings(settings.autopilot),
        taxonomy=taxonomy,
        vendors=lambda: vendors,
        new_code=make_code,
    )


def make_code() -> str:
    """A code that nobody guesses: one of 20^9.

    >>> len(make_code())
    9
    """
    return "".join(secrets.choice(_CODE_LETTERS) for _ in range(_CODE_LENGTH))


def read_known_vendors(data: Location | None) -> Sequence[Vendor]:
    """Vendors of the tables at a place; none where there is no place, or no such table."""
    if data is None:
        return ()
    tables = read_tables(data)
    return read_vendors(tables["vendors"]) if "vendors" in tables else ()


def _require_words(pilot: Pilot) -> None:
    """Every topic that can be detected has words of its own."""
    missing = [name for name in pilot.taxonomy.names if name not in pilot.updates.topics]
    if missing:
        raise ConfigurationError(
            f"words of incidents {pilot.settings.updates!r}: no words for "
            f"{', '.join(missing)} of the taxonomy {pilot.taxonomy.business!r}"
        )
