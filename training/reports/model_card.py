"""The card of a model: one page of Markdown that goes with it wherever it goes.

The headings follow Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from training.monitoring.profile import Profile
from training.registry.tracking import TrainingRecord
from training.reports.figures import find_measured, tell_people
from training.reports.purposes import Purpose, purpose_of
from training.reports.slices import find_slices, tabulate_slices

CARD_FILE = "card.md"
_N_FEATURES = 15
_SLICE_INTERVALS = (
    "Brackets hold for all slices together. A loss above the baseline's is worse than the plain "
    "rule."
)


def write_card(record: TrainingRecord, profile: Profile, *, known_until: datetime) -> str:
    """The card in Markdown.

    Args:
        record: Everything that is logged about the training, slices and capacity included.
        profile: What the world looked like.
        known_until: Nothing known at this moment or later was read.
    """
    purpose = purpose_of(record.name)
    params = {key: str(value) for key, value in record.params.items()}
    parts = [
        f"# {record.name.value}",
        f"{purpose.title}. {purpose.does}",
        *_part("Intended use", purpose.used_for),
        *_part("Do not use it for", purpose.not_for),
        *_part("Data", _describe_data(record, profile, known_until=known_until)),
        *_part("Features", _describe_features(profile, params)),
        "## How good it is",
        *_describe_figures(record, params, purpose),
        "## Slices",
        *_describe_slices(record),
        *_part("Limits", (*purpose.limits, *record.notes.values())),
        *_part("Ethical notes", purpose.ethics),
        "## Roll back",
        (
            "The version before comes back with `opportune rollback "
            f"{purpose.word} --reason TEXT`; versions stay in the registry, and the gate's answers "
            "with them."
        ),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _describe_data(record: TrainingRecord, profile: Profile, *, known_until: datetime) -> list[str]:
    grown = {table.name: table for table in profile.tables}
    tables = [
        f"{name} (from {grown[name].began_at:%Y-%m-%d})" if name in grown else name
        for name in record.tables
    ]
    sizes = {
        "n_train": "to fit",
        "n_calibration": "to stop and calibrate",
    }
    rows = [
        f"{int(record.params[key]):,} rows {words}"
        for key, words in sizes.items()
        if key in record.params
    ]
    if "n_test" in record.metrics:
        rows.append(f"{record.metrics['n_test']:,.0f} rows to judge, later than all others")
    return [
        f"tables: {', '.join(tables) or 'none'}",
        (
            f"known before {known_until:%Y-%m-%d %H:%M} UTC; no label of "
            f"{record.trained_until:%Y-%m-%d %H:%M} UTC or later was learned from: those judged it"
        ),
        *([", ".join(rows)] if rows else []),
        f"fingerprint of the data: `{record.fingerprint}`",
    ]


def _describe_features(profile: Profile, params: Mapping[str, str]) -> list[str]:
    lines = []
    if "feature_digest" in params:
        lines.append(
            f"{params.get('n_features', len(profile.inputs))} features, declarations "
            f"`{params['feature_digest']}`; code that declares others refuses the model"
        )
    used = sorted(profile.use, key=lambda use: _mean(use.shares), reverse=True)[:_N_FEATURES]
    if used:
        listed = ", ".join(
            f"{use.name} {_mean(use.shares):.1%} ({min(use.shares):.1%} to {max(use.shares):.1%})"
            for use in used
        )
        lines.append(
            f"it leans most on (share of all contributions; least and most in blocks of two "
            f"weeks): {listed}"
        )
    elif profile.inputs:
        names = [column.name for column in profile.inputs]
        rest = f" and {len(names) - _N_FEATURES} more" if len(names) > _N_FEATURES else ""
        lines.append(", ".join(names[:_N_FEATURES]) + rest)
    return lines


def _describe_figures(
    record: TrainingRecord, params: Mapping[str, str], purpose: Purpose
) -> list[str]:
    measured = find_measured(record.metrics)
    rows = [(one.words, one.value, one.baseline, one.gain) for one in measured]
    baseline = f"plain baseline ({params['baseline']})" if "baseline" in params else "baseline"
    return [
        tell_people(
            record.metrics,
            params=params,
            purpose=purpose,
        ),
        _table(("on later rows", "model", baseline, "difference"), rows),
        "Brackets are 95 % bootstrap intervals, customers drawn anew." if rows else "",
    ]


def _describe_slices(record: TrainingRecord) -> list[str]:
    slices = find_slices(record.metrics)
    if slices:
        return [_table(*tabulate_slices(slices, first="slice")), _SLICE_INTERVALS]
    if record.held_out is None:
        return ["Slices are not asked of this model: it holds no rows out to judge them on."]
    return ["No slice of the customers was large enough to be judged."]


def _part(title: str, points: Iterable[str]) -> list[str]:
    listed = [f"- {point}" for point in points]
    return [f"## {title}", "\n".join(listed)] if listed else []


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "Nothing was measured with an interval."
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _mean(shares: Sequence[float]) -> float:
    return sum(shares) / len(shares)
