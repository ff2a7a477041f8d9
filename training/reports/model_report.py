"""The report about the models: plain words first, then figures, history, and how they do today."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from training.monitoring.monitor import ModelHealth
from training.monitoring.profile import PROFILE_FILE, Profile
from training.registry.audit import Event
from training.registry.entries import ModelName
from training.registry.history import LoggedVersion, read_plots, read_versions
from training.registry.tracking import Tracking
from training.reports.figures import find_measured, tell_people
from training.reports.grids import events_grid, rules_grid, slices_grid, versions_grid
from training.reports.health import health_grid, tell_health, write_day
from training.reports.model_card import CARD_FILE
from training.reports.page import Folded, Grid, Page, Picture, Section, StoredPicture
from training.reports.plots import draw_use
from training.reports.purposes import purpose_of
from training.reports.slices import find_slices
from training.reports.stability import find_stability, use_by_feature

_CAPTIONS = {
    "calibration": "What was foretold against what happened, on later rows than any learned from; "
    "on the dashed line both are equal.",
    "lift": "How many times more often than by chance the event is found among the first rows "
    "taken.",
    "qini": "Good outcomes gained when the best rated are written to first; a model that tells who "
    "is moved lies above the dashed line of a random order. Below 0, messages do harm there, or "
    "chance does.",
    "week": "Everybody's week, hour by hour.",
    "importance": "Share of each feature in what the trees gained while they were grown.",
}
_N_USED = 15


@dataclass(frozen=True)
class ReportedModel:
    """A model as the report needs it.

    Attributes:
        name: The model.
        versions: All of them, oldest first, at least one.
        shown: The one that the report is about: the champion, or else the last.
        profile: What the world looked like when it was made; None where it was not kept.
        card: Its card in Markdown; empty where it was not kept.
        plots: Its plots, as PNG, by name.
        events: What was decided about its versions, oldest first.
        health: How it does today; None where no tables were given or nothing is served.
    """

    name: ModelName
    versions: tuple[LoggedVersion, ...]
    shown: LoggedVersion
    profile: Profile | None
    card: str
    plots: Mapping[str, bytes] = field(repr=False)
    events: tuple[Event, ...] = ()
    health: ModelHealth | None = None


def read_reported(
    tracking: Tracking, *, health: Mapping[ModelName, ModelHealth]
) -> tuple[ReportedModel, ...]:
    """Every model that was ever trained, from what was logged."""
    reported = []
    for name in ModelName:
        versions = read_versions(tracking, name)
        if not versions:
            continue
        shown = next((one for one in versions if one.is_champion), versions[-1])
        reported.append(
            ReportedModel(
                name=name,
                versions=versions,
                shown=shown,
                profile=_read_profile(tracking, shown),
                card=tracking.read_document(shown.run_id, CARD_FILE) or "",
                plots=read_plots(tracking, shown.run_id),
                events=tracking.read_history(name),
                health=health.get(name),
            )
        )
    return tuple(reported)


def make_report(models: Sequence[ReportedModel], *, made_on: str, warning: str = "") -> Page:
    """The whole page.

    Args:
        models: What it is about.
        made_on: The day, in words.
        warning: What is wrong with the tables by which the models were looked at; often empty.
    """
    return Page(
        title="The models: what they know, how well, and since when",
        lead=(
            "Each model below was judged on days later than anything it had learned from, beside "
            "a plain rule that anybody would try first. What cannot beat that rule is not served."
            if models
            else "No model has been trained yet: `opportune train all --data PLACE`."
        ),
        sections=[
            *([_overview(models, warning=warning)] if models else []),
            *(_section(one) for one in models),
        ],
        footer=(
            f"Made on {made_on} by `opportune report model` from the registry. Intervals are 95 % "
            "bootstrap intervals, customers drawn anew, unless they say otherwise."
        ),
    )


def _overview(models: Sequence[ReportedModel], *, warning: str) -> Section:
    days = {write_day(model.health) for model in models if model.health}
    today = f"how it did as of {days.pop()}" if len(days) == 1 else "how it did"
    rows = []
    for model in models:
        purpose = purpose_of(model.name)
        served = f"version {model.shown.version}" if model.shown.is_champion else "not served"
        rows.append(
            (
                purpose.title,
                served,
                _tell(model) or "no figure in people's terms",
                _write_status(model),
            )
        )
    points = [
        f"{purpose_of(m.name).title.split(':')[0]}: {purpose_of(m.name).does}" for m in models
    ]
    return Section(
        "In short",
        paragraphs=[f"Mind: {warning}"] if warning else [],
        points=points,
        grids=(Grid(("model", "served", "how good", today), rows),),
    )


def _write_status(model: ReportedModel) -> str:
    if not model.shown.is_champion:
        return "not served"
    return str(model.health.status) if model.health else "not looked at"


def _section(model: ReportedModel) -> Section:
    purpose = purpose_of(model.name)
    shown = model.shown
    return Section(
        purpose.title,
        paragraphs=[text for text in (purpose.does, _tell(model), *_tell_state(model)) if text],
        points=[
            *(f"Do not use it for {what}." for what in purpose.not_for),
            *(f"Note: {text}" for text in _find_notes(shown)),
        ],
        grids=[grid for grid in _make_grids(model) if grid.rows],
        pictures=_choose_pictures(model),
        folded=[Folded("The model's card", model.card)] if model.card else [],
    )


def _tell(model: ReportedModel) -> str:
    purpose = purpose_of(model.name)
    return tell_people(
        model.shown.metrics,
        params=model.shown.params,
        purpose=purpose,
    )


def _tell_state(model: ReportedModel) -> tuple[str, ...]:
    shown = model.shown
    known = (
        f" from what was known before {model.profile.known_until:%d %B %Y}" if model.profile else ""
    )
    state = (
        f"Version {shown.version} is served; it was made on {shown.made_at:%d %B %Y}{known}."
        if shown.is_champion
        else f"Nothing is served: the gate has let none of {len(model.versions)} version"
        f"{'s' if len(model.versions) > 1 else ''} through. "
        f"What follows is about version {shown.version}."
    )
    stability = find_stability(model.profile) if model.profile else ""
    leans = stability or purpose_of(model.name).why_no_use
    return state, leans, tell_health(model.health) if model.health else ""


def _make_grids(model: ReportedModel) -> tuple[Grid, ...]:
    metrics = model.shown.metrics
    baseline = model.shown.params.get("baseline", "plain baseline")
    figures = [(one.words, one.value, one.baseline, one.gain) for one in find_measured(metrics)]
    return (
        Grid(("on later rows", "model", baseline, "difference"), figures, "How good"),
        slices_grid(find_slices(metrics)),
        rules_grid(metrics),
        *((health_grid(model.health),) if model.health else ()),
        versions_grid(model.versions),
        events_grid(model.events),
    )


def _find_notes(version: LoggedVersion) -> list[str]:
    """Notes of the run: its tags, but for those that are ours or MLflow's for machines."""
    machine = ("mlflow.", "opportune.")
    plain = {"fingerprint", "tables", "trained_until"}
    return [
        text
        for key, text in version.tags.items()
        if key not in plain and not key.startswith(machine)
    ]


def _choose_pictures(model: ReportedModel) -> list[Picture | StoredPicture]:
    pictures: list[Picture | StoredPicture] = []
    used = use_by_feature(model.profile, n_most=_N_USED) if model.profile else {}
    left_out = {"importance"} if used else set()  # one of the two is enough
    for name, png in sorted(model.plots.items()):
        outcome, _, kind = name.rpartition("_") if name not in _CAPTIONS else ("", "", name)
        if (
            kind in _CAPTIONS
            and kind not in left_out
            and outcome in {"", purpose_of(model.name).outcome}
        ):
            of_which = f"{outcome.capitalize()}: " if outcome else ""
            pictures.append(StoredPicture(png, of_which + _CAPTIONS[kind]))
    if used:
        caption = (
            "Share of each feature in what moves the scores, with the least and the most of any "
            "two weeks: short lines are features that matter steadily."
        )
        pictures.append(Picture(draw_use(used), caption))
    return pictures


def _read_profile(tracking: Tracking, version: LoggedVersion) -> Profile | None:
    text = tracking.read_document(version.run_id, PROFILE_FILE)
    return Profile.from_json(text) if text else None
