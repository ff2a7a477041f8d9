"""Which policy runs: the promoted ones, in files of the home, with the trail of every decision."""

from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

import yaml

from features.errors import BadInputError, ConfigurationError
from serving.policy.settings import PolicySettings, load_policy_settings
from training.gate import Refused, RolledBack
from training.policy_gate import HoldPolicy, PromotePolicy
from training.registry.audit import Audit, Event, EventKind

POLICY: Final = "policy"
"""Its name among the models that are rolled back."""

_TRAIL: Final = "trail.jsonl"


def keep_answer(
    answer: PromotePolicy | HoldPolicy,
    candidate: PolicySettings,
    *,
    running: PolicySettings,
    file: Path,
    known_until: datetime,
    audit: Audit,
) -> None:
    """Write the answer into the trail, and let a promoted policy run.

    Args:
        answer: Of the gate.
        candidate: The policy that asked.
        running: The one that ran; kept beside the new one, so that there is a way back.
        file: The promoted policy of the home; the trail and every version lie beside it.
        known_until: Aware moment until which it was known what came of the log's decisions.
        audit: Who asks.
    """
    is_promoted = isinstance(answer, PromotePolicy)
    kind = EventKind.PROMOTE if is_promoted else EventKind.HOLD
    judged = Event(kind, answer.version, answer.before, answer.reasons, known_until=known_until)
    event = judged.asked(audit)
    file.parent.mkdir(parents=True, exist_ok=True)
    if not is_promoted:
        _append(file, event)
        return
    for settings in (candidate, running):
        _write_whole(_find_kept(file, settings.version), _write(settings))
    # First: asked again after a crash, the same is promoted, and told of once.
    if not _tells_already(read_trail(file), event):
        _append(file, event)
    _write_whole(file, _write(candidate))


def roll_back_policy(file: Path, *, audit: Audit) -> RolledBack | Refused:
    """Let the policy before the promoted one run again.

    Asked again, the one before that comes back, down to the one that ran before anything was
    promoted. A version that the running code cannot read does not come back.

    Args:
        file: The promoted policy of the home.
        audit: Who asks, when and why.

    Raises:
        BadInputError: The trail cannot be read.
    """
    standing = _list_standing(read_trail(file))
    if not standing:
        return Refused(POLICY, "no promoted policy runs: there is nothing to roll back")
    last = standing[-1]
    if last.before is None:
        return Refused(POLICY, f"nobody knows what ran before {last.version}")
    done = RolledBack(POLICY, version=last.before, instead_of=last.version)
    if last.before == load_policy_settings().version:
        file.unlink(missing_ok=True)  # the shipped policy runs where none is promoted
    else:
        kept = _find_kept(file, last.before)
        try:
            load_policy_settings(kept)
        except ConfigurationError as fault:
            return Refused(POLICY, f"{last.before} cannot be read any more: {fault}")
        _write_whole(file, kept.read_text(encoding="utf-8"))
    event = Event(EventKind.ROLLBACK, done.version, before=done.instead_of).asked(audit)
    _append(file, event)  # last: asked again after a crash, the same comes back
    return done


def read_trail(file: Path) -> tuple[Event, ...]:
    """Every decision about policies of this home, oldest first.

    Raises:
        BadInputError: A line is not an event.
    """
    trail = find_trail(file)
    if not trail.exists():
        return ()
    events = []
    for number, line in enumerate(trail.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            events.append(Event.from_json(line))
        except (ValueError, KeyError, TypeError) as fault:
            raise BadInputError(
                f"{trail}, line {number}: not an event of the gate ({fault}); mend or remove it"
            ) from None
    return tuple(events)


def find_trail(file: Path) -> Path:
    """Where the trail of the promoted policy in that file is."""
    return file.parent / _TRAIL


def _list_standing(trail: tuple[Event, ...]) -> list[Event]:
    """Promotions that no rollback has taken back, the running policy's last."""
    standing: list[Event] = []
    for event in trail:
        if event.kind is EventKind.PROMOTE:
            standing.append(event)
        elif event.kind is EventKind.ROLLBACK and standing:
            standing.pop()
    return standing


def _tells_already(trail: tuple[Event, ...], event: Event) -> bool:
    """Whether this promotion is the one that stands."""
    standing = _list_standing(trail)
    last = standing[-1] if standing else None
    return last is not None and (last.version, last.before) == (event.version, event.before)


def _find_kept(file: Path, version: str) -> Path:
    """Where a version lies; names of policies may hold what names of files may not."""
    return file.with_name(f"{quote(version, safe='@ ')}.yaml")


def _write(settings: PolicySettings) -> str:
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _append(file: Path, event: Event) -> None:
    with find_trail(file).open("a", encoding="utf-8") as trail:
        trail.write(event.to_json() + "\n")


def _write_whole(path: Path, text: str) -> None:
    """Write a file, whole or not at all."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    load_policy_settings(unfinished)  # what cannot be read again must not run
    unfinished.replace(path)
