"""How a served model does at a moment, for people."""

from datetime import UTC

from training.monitoring.monitor import ModelHealth
from training.monitoring.status import Check, Status
from training.reports.page import Grid

_WORDS = {
    Status.OK: "Nothing worries",
    Status.WATCH: "Something is worth watching",
    Status.ALARM: "Something must be done",
    Status.UNKNOWN: "Nothing can be said yet",
}


def tell_health(health: ModelHealth) -> str:
    """The state of a model in a sentence or two."""
    worrying = [check for check in health.checks if check.status in {Status.WATCH, Status.ALARM}]
    named = "; ".join(f"{check.name} ({check.status}): {check.meaning}" for check in worrying)
    return f"As of {write_day(health)}: {_WORDS[health.status].lower()}. {named}".strip()


def health_grid(health: ModelHealth) -> Grid:
    """Every check with its leading finding."""
    rows = [(check.name, str(check.status), describe_check(check)) for check in health.checks]
    made = f", beside how it was until {health.trained_on:%d %B %Y}" if health.trained_on else ""
    caption = f"How it did as of {write_day(health)}{made}"
    return Grid(("check", "status", "what was seen"), rows, caption)


def write_day(health: ModelHealth) -> str:
    """The day of the look, in words."""
    return f"{health.as_of.astimezone(UTC):%d %B %Y}"


def describe_check(check: Check, *, n_most: int = 5) -> str:
    """What a check saw, the worst first, or why it could not look."""
    if not check.findings:
        return check.meaning
    seen = "; ".join(one.words for one in check.findings[:n_most])
    more = len(check.findings) - n_most
    others = f"; and {more} more" if more > 0 else ""
    return f"{seen}{others} ({check.n_looked_at} looked at)"
