"""One shape for every benchmark, so that figures can be compared over time."""

import math
from dataclasses import dataclass

_WHOLE_FROM = 10_000.0


@dataclass(frozen=True)
class BenchRow:
    """One figure of ours beside a reference.

    Attributes:
        case: Data set, scenario or stream.
        metric: What is measured.
        ours: Our figure.
        low: Lower end of its 95 % interval; None where there is none.
        high: Upper end of its 95 % interval; None where there is none.
        reference: The figure to compare with; None where there is none.
        reference_name: Whose it is; None without a reference.
        unit: Unit of both figures.
        n: Runs, seeds or rows behind ours.
    """

    case: str
    metric: str
    ours: float
    low: float | None
    high: float | None
    reference: float | None
    reference_name: str | None
    unit: str
    n: int

    @property
    def ratio(self) -> float | None:
        """Ours over the reference; None where that is not above zero."""
        if self.reference is None or not self.reference > 0:
            return None
        return self.ours / self.reference


def write_figure(figure: float) -> str:
    """A figure for people, in four digits or whole; `none` where it is not to be had.

    >>> write_figure(0.123456), write_figure(119_040.0), write_figure(math.nan)
    ('0.1235', '119,040', 'none')
    """
    if not math.isfinite(figure):
        return "none"
    return f"{figure:,.0f}" if abs(figure) >= _WHOLE_FROM else f"{figure:.4g}"
