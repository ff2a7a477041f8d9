"""The parts of the console, as its pages list them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One entry of the menu.

    Attributes:
        name: Of its first page's route.
        label: As it is shown.
        key: That leads there; none where there is nothing else to go to.
    """

    name: str
    label: str
    key: str = ""


REVIEW_ALONE = (Section("queue", "Review"),)

SECTIONS = (
    Section("overview", "Overview", "h"),
    Section("incidents", "Incidents", "i"),
    Section("tasks", "Tasks", "t"),
    Section("customers", "At risk", "c"),
    Section("queue", "Texts", "x"),
    Section("switches", "Stop", "s"),
    Section("log", "Log", "l"),
)
