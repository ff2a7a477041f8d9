"""From challenger to champion, if the gate agrees, and back: `opportune promote` and `rollback`.

Candidate, champion and baseline are judged on the same rows, later than anything that either
model has seen. What was decided, on whose behalf and why, joins the model's trail in the registry.
"""

from dataclasses import replace
from datetime import datetime

import numpy as np

from features.errors import BadInputError, IncompatibleModelError
from features.tables import Tables
from training.claims import read_claims
from training.datasets.provenance import NotEnoughData
from training.gate import Contender, Evidence, Hold, Promote, Refused, RolledBack, decide
from training.models.recipe import Judge, LaterRows
from training.models.table import RECIPES
from training.registry.audit import Audit, Event, EventKind
from training.registry.entries import Alias, ModelName, ModelVersion, NoVersion
from training.registry.servable import CASE_SIGNATURE
from training.registry.tracking import Tracking


def promote(
    name: ModelName,
    tables: Tables,
    *,
    known_until: datetime,
    tracking: Tracking,
    seed: int,
    audit: Audit | None = None,
) -> Promote | Hold:
    """Let the gate judge the challenger, and name it champion if it may be served.

    A champion made with other feature definitions than the running ones cannot be served any
    more, and so nobody has to beat it.

    Args:
        name: The model.
        tables: Conformed tables: those it was trained on, or later ones.
        known_until: Aware moment; nothing known at it or later is read.
        tracking: Where the versions are.
        seed: Of the bootstrap.
        audit: Who asks, for the trail; None where nobody says.
    """
    before = tracking.find_number(name, alias=Alias.CHAMPION)
    decision = _judge(name, tables, known_until=known_until, tracking=tracking, seed=seed)
    settle(decision, before=before, known_until=known_until, tracking=tracking, audit=audit)
    return decision


def settle(
    decision: Promote | Hold,
    *,
    before: str | None,
    known_until: datetime,
    tracking: Tracking,
    audit: Audit | None = None,
) -> None:
    """Name a promoted version champion, and let what was decided join the model's trail.

    Args:
        decision: Of the gate.
        before: The champion before it; None where there was none.
        known_until: Nothing known at it or later was read.
        tracking: Where the versions are.
        audit: Who asks; None where nobody says.
    """
    if isinstance(decision, Promote):
        reasons = (explain(decision.evidence, before=before),)
        event = Event(EventKind.PROMOTE, decision.version, before, reasons, known_until=known_until)
        tracking.set_champion(decision, event=event.asked(audit))
    elif decision.version is not None:
        held = Event(EventKind.HOLD, decision.version, before, decision.reasons)
        tracking.log_event(decision.name, replace(held, known_until=known_until).asked(audit))


def explain(evidence: Evidence, *, before: str | None) -> str:
    """Why a version was promoted, in a sentence; `before` is the champion before it."""
    over, rows = evidence.over_baseline, f"{evidence.n_rows:,} later rows"
    how = "beat" if over.high < 0 else "was not shown to be worse than"
    beat = (
        f"it {how} the plain baseline: loss {over.value:+.4f} [{over.low:+.4f}, "
        f"{over.high:+.4f}] on {rows}"
    )
    if before is None:
        return f"{beat}; nothing was served before"
    champion = evidence.over_champion
    if champion is None:
        return f"{beat}; version {before} cannot be served by the running code, nor be compared"
    return (
        f"{beat}; it was not shown to be worse than version {before}: {champion.value:+.4f} "
        f"[{champion.low:+.4f}, {champion.high:+.4f}]"
    )


def roll_back(name: ModelName, *, tracking: Tracking, audit: Audit) -> RolledBack | Refused:
    """Let the champion before be served again.

    Asked again, the one before that comes back. A version that was made with other feature
    definitions than the running ones does not come back: it could not be served.

    Args:
        name: The model.
        tracking: Where the versions are.
        audit: Who asks, when, and why.
    """
    current = tracking.find_number(name, alias=Alias.CHAMPION)
    if current is None:
        return Refused(name, "nothing is served: there is no champion to roll back")
    number = tracking.find_number(name, alias=Alias.PREVIOUS)
    if number is None:
        return Refused(name, f"nothing was champion before version {current}")
    try:
        found = tracking.find(name, alias=Alias.PREVIOUS)
    except (BadInputError, IncompatibleModelError) as fault:
        return Refused(name, f"version {number} cannot be read any more: {fault}")
    if isinstance(found, NoVersion) or not _fits_running_code(found):
        return Refused(
            name, f"version {number} was made with other feature definitions: train again"
        )
    done = RolledBack(name, version=found.version, instead_of=current)
    event = Event(EventKind.ROLLBACK, found.version, before=current)
    tracking.restore(done, event=event.asked(audit))
    return done


def _judge(
    name: ModelName, tables: Tables, *, known_until: datetime, tracking: Tracking, seed: int
) -> Promote | Hold:
    try:
        candidate = tracking.find(name, alias=Alias.CHALLENGER)
    except IncompatibleModelError as fault:
        return Hold(name, (str(fault),), tracking.find_number(name, alias=Alias.CHALLENGER))
    if isinstance(candidate, NoVersion):
        return Hold(name, ("there is no challenger: train one first",))
    if not _fits_running_code(candidate):
        return Hold(
            name, ("it was made with other feature definitions: train again",), candidate.version
        )
    champion = _find_champion(name, tracking=tracking)
    rows = _find_later_rows(candidate, champion=champion, tables=tables, known_until=known_until)
    if isinstance(rows, NotEnoughData):
        return Hold(name, (rows.reason,), candidate.version)
    return decide(
        name,
        candidate=replace(
            _enter(candidate, judge=rows.judge), claims=read_claims(tracking.read_run(candidate))
        ),
        champion=_enter(champion, judge=rows.judge) if champion else None,
        window=rows.window,
        rng=np.random.default_rng(seed),
    )


def _find_champion(name: ModelName, *, tracking: Tracking) -> ModelVersion | None:
    """The champion, if it can be served."""
    try:
        found = tracking.find(name, alias=Alias.CHAMPION)
    except IncompatibleModelError:  # of an earlier release: it must not keep the next one out
        return None
    return found if isinstance(found, ModelVersion) and _fits_running_code(found) else None


def _enter(version: ModelVersion, *, judge: Judge) -> Contender:
    return Contender(version.version, version.trained_until, judge(version.model))


def _fits_running_code(version: ModelVersion) -> bool:
    of_cases = version.name is ModelName.RETENTION  # learned from cases: it has no recipe
    wanted = CASE_SIGNATURE if of_cases else RECIPES[version.name].signature
    return version.model.signature == wanted


def _find_later_rows(
    candidate: ModelVersion,
    *,
    champion: ModelVersion | None,
    tables: Tables,
    known_until: datetime,
) -> LaterRows | NotEnoughData:
    fit_until = candidate.trained_until
    seen_until = max(fit_until, champion.trained_until) if champion else fit_until
    find = RECIPES[candidate.name].find_later_rows
    return find(tables, known_until=known_until, seen_until=seen_until, fit_until=fit_until)
