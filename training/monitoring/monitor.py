"""How the served models are doing: what `opportune monitor` does.

Models are told apart by their views and recipes alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from features.errors import BadInputError, IncompatibleModelError
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.models.table import RECIPES
from training.monitoring.check_matured import MATURED, check_matured
from training.monitoring.checks import (
    INPUTS,
    MISSING,
    SCORES,
    TABLES,
    check_delay,
    check_inputs,
    check_missing,
    check_scores,
    check_tables,
)
from training.monitoring.periods import BLOCK, stretch
from training.monitoring.profile import PROFILE_FILE, Profile
from training.monitoring.status import Check, Status, cannot_tell, worst
from training.monitoring.views.table import VIEWS
from training.monitoring.views.view import Asked
from training.registry.entries import Alias, ModelName, ModelVersion, NoVersion
from training.registry.tracking import Tracking

_OTHER_FEATURES = "it was made with other feature definitions: train it again"


@dataclass(frozen=True)
class ModelHealth:
    """How a served model is doing.

    Attributes:
        name: The model.
        version: Its number in the registry.
        as_of: Moment at which it was looked at.
        trained_on: Nothing known at this moment or later was read when it was made; None where
            the model cannot be read.
        checks: Every question and its answer.
    """

    name: ModelName
    version: str
    as_of: datetime
    trained_on: datetime | None
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """The worst of the checks."""
        return worst(check.status for check in self.checks)


def monitor_models(
    tables: Tables, *, as_of: datetime, tracking: Tracking, seed: int
) -> Mapping[ModelName, ModelHealth | NoVersion]:
    """How each champion is doing at a moment.

    Args:
        tables: Conformed tables, what is known at the moment.
        as_of: Aware moment; nothing known at it or later is read.
        tracking: Where the champions are.
        seed: Of the bootstrap.
    """
    return {
        name: _monitor(name, tables, as_of=as_of, tracking=tracking, seed=seed) for name in RECIPES
    }


def _monitor(
    name: ModelName, tables: Tables, *, as_of: datetime, tracking: Tracking, seed: int
) -> ModelHealth | NoVersion:
    try:
        champion = tracking.find(name, alias=Alias.CHAMPION)
    except (BadInputError, IncompatibleModelError) as fault:
        # One model that cannot be read must not keep the others from being watched.
        broken = check_model(f"it cannot be read: {fault}")
        version = tracking.find_number(name, alias=Alias.CHAMPION) or ""
        return ModelHealth(name, version, as_of, None, (broken,))
    if isinstance(champion, NoVersion):
        return champion
    return monitor_model(champion, tables, as_of=as_of, tracking=tracking, seed=seed)


def monitor_model(
    champion: ModelVersion, tables: Tables, *, as_of: datetime, tracking: Tracking, seed: int
) -> ModelHealth:
    """How one champion is doing; see `monitor_models`."""
    text = tracking.read_document(champion.run_id, PROFILE_FILE)
    profile = Profile.from_json(text) if text else Profile(known_until=champion.trained_until)
    if as_of < profile.known_until:
        checks = _not_made_yet(profile.known_until, as_of=as_of)
    else:
        checks = _make_checks(champion, profile, tables, as_of=as_of, seed=seed)
    return ModelHealth(
        name=champion.name,
        version=champion.version,
        as_of=as_of,
        trained_on=profile.known_until,
        checks=(check_model("" if fits_running_code(champion) else _OTHER_FEATURES), *checks),
    )


def _make_checks(
    champion: ModelVersion, profile: Profile, tables: Tables, *, as_of: datetime, seed: int
) -> tuple[Check, ...]:
    """Every question that is asked of the model at a moment since it was made."""
    stretched = stretch(profile.known_until, now=as_of)
    asked = _read_asked(champion, profile, tables, as_of=as_of)
    reads_messages = {"messages", "outcomes"} <= {table.name for table in profile.tables}
    return (
        check_inputs(profile, asked, stretched=stretched),
        check_scores(profile, asked, stretched=stretched),
        check_missing(profile, asked, stretched=stretched),
        check_tables(profile, tables, as_of=as_of),
        _check_matured(champion, tables, made_at=profile.known_until, as_of=as_of, seed=seed),
        *((check_delay(profile, tables, as_of=as_of),) if reads_messages else ()),
    )


def _not_made_yet(made_at: datetime, *, as_of: datetime) -> tuple[Check, ...]:
    """The answers at a moment before the model was made: there is nothing to compare with."""
    asked, made = (f"{one.astimezone(UTC):%Y-%m-%d %H:%M}" for one in (as_of, made_at))
    reason = f"{asked} UTC is before this model was made ({made})"
    names = (INPUTS, SCORES, MISSING, TABLES, MATURED)
    return tuple(cannot_tell(name, reason) for name in names)


def _read_asked(
    champion: ModelVersion, profile: Profile, tables: Tables, *, as_of: datetime
) -> Asked | NotEnoughData:
    """What the model was asked in the last two weeks; why that cannot be compared."""
    if not profile.inputs and not profile.why_no_rows:
        return NotEnoughData("the model has no profile of its training: train it again")
    if profile.why_no_rows:
        return NotEnoughData(f"nothing to compare with: {profile.why_no_rows}")
    if not fits_running_code(champion):
        return NotEnoughData(_OTHER_FEATURES)
    return VIEWS[champion.name](tables, model=champion.model, since=as_of - BLOCK, until=as_of)


def check_model(fault: str) -> Check:
    """Whether the model can be served at all; `fault` is empty where it can."""
    fine = "it can be read, and was made with the features of the running code"
    status = Status.ALARM if fault else Status.OK
    return Check("model", status, "", (), 1, fault or fine)


def fits_running_code(version: ModelVersion) -> bool:
    """Whether the model was made with the features that the running code gives it."""
    wanted = RECIPES[version.name].signature
    return wanted is None or getattr(version.model, "signature", None) == wanted


def _check_matured(
    champion: ModelVersion, tables: Tables, *, made_at: datetime, as_of: datetime, seed: int
) -> Check:
    if not fits_running_code(champion):
        return cannot_tell(MATURED, _OTHER_FEATURES)
    return check_matured(champion, tables, made_at=made_at, as_of=as_of, seed=seed)
