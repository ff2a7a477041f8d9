"""Which policy runs: the promoted ones, in files of the home, with the trail of every decision."""

from pathlib import Path
from typing import Final

import yaml

from serving.policy.settings import PolicySettings, load_policy_settings
from training.policy_gate import HoldPolicy, PromotePolicy
from training.registry.audit import Audit, Event, EventKind

_TRAIL: Final = "trail.jsonl"


def keep_answer(
    answer: PromotePolicy | HoldPolicy, settings: PolicySettings, *, file: Path, audit: Audit
) -> None:
    """Write the answer into the trail, and let a promoted policy run.

    Args:
        answer: Of the gate.
        settings: The policy that asked.
        file: The promoted policy of the home; the trail and every promoted version lie beside it.
        audit: Who asks.
    """
    is_promoted = isinstance(answer, PromotePolicy)
    kind = EventKind.PROMOTE if is_promoted else EventKind.HOLD
    event = Event(kind, answer.version, answer.before, answer.reasons).asked(audit)
    file.parent.mkdir(parents=True, exist_ok=True)
    if is_promoted:
        text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        _write_whole(file.with_name(f"{settings.version}.yaml"), text)
        _write_whole(file, text)
    with (file.parent / _TRAIL).open("a", encoding="utf-8") as trail:
        trail.write(event.to_json() + "\n")


def read_trail(file: Path) -> tuple[Event, ...]:
    """Every decision about policies of this home, oldest first."""
    trail = file.parent / _TRAIL
    if not trail.exists():
        return ()
    lines = trail.read_text(encoding="utf-8").splitlines()
    return tuple(Event.from_json(line) for line in lines)


def _write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    load_policy_settings(unfinished)  # what cannot be read again must not run
    unfinished.replace(path)
