"""The tables of the report about models."""

from collections.abc import Mapping, Sequence

from training.registry.audit import Event
from training.registry.history import LoggedVersion
from training.reports.figures import find_measured, write_interval
from training.reports.page import Grid
from training.reports.slices import SliceFigures, tabulate_slices

_N_SLICES = 10


def slices_grid(slices: Sequence[SliceFigures]) -> Grid:
    """The slices with the largest gaps, from the logged metrics."""
    ranked = [one for one in slices if "auc_gap" in one.measures] or slices
    shown = sorted(ranked, key=lambda one: -one.excess)[:_N_SLICES]
    header, rows = tabulate_slices(shown, first="customers")
    left_out = (
        f"; {len(slices) - len(shown)} others are in the card" if len(slices) > len(shown) else ""
    )
    return Grid(header, rows, f"Is it as good for everybody? The largest gaps{left_out}")


def rules_grid(metrics: Mapping[str, float]) -> Grid:
    """The playbook's risk score beside the probability alone; empty where it was not judged."""
    rows = [
        (
            words,
            write_interval(metrics, f"risk.score.{name}"),
            write_interval(metrics, f"risk.p_churn.{name}"),
            write_interval(metrics, f"risk.gain.{name}", signed=True),
        )
        for name, words in (
            ("auc", "ranking (AUC)"),
            ("average_precision", "average precision"),
            ("brier", "Brier score (lower is better)"),
            ("calibration_error", "calibration error (lower is better)"),
            ("precision", "hits among those called"),
        )
        if f"risk.score.{name}" in metrics
    ]
    header = ("the playbook's rules", "with the rules", "model alone", "difference")
    return Grid(header, rows, "Do the playbook's risk rules help?")


def versions_grid(versions: Sequence[LoggedVersion]) -> Grid:
    """Every version, with its first figure."""
    rows = []
    for version in reversed(versions):
        first = find_measured(version.metrics)[:1]
        rows.append(
            (
                version.version,
                f"{version.made_at:%Y-%m-%d}",
                ", ".join(version.aliases) or "none",
                f"{first[0].words}: {first[0].value}" if first else "",
                version.tags.get("fingerprint", "")[:12],
            )
        )
    header = ("version", "registered", "part", "on its own later rows", "data")
    return Grid(header, rows, "Every version, the last first")


def events_grid(events: Sequence[Event]) -> Grid:
    """What was decided about versions, by whom and why."""
    rows = [
        (
            f"{event.at:%Y-%m-%d %H:%M}" if event.at else "not noted",
            event.kind.value,
            f"version {event.version}",
            f"version {event.before}" if event.before else "none",
            "; ".join(event.reasons) or "not noted",
            event.by or "not noted",
        )
        for event in reversed(events)
    ]
    header = ("when", "what", "about", "served before", "why", "asked by")
    return Grid(header, rows, "What the gate decided, the last first")
