"""Self-contained HTML pages: text, tables and plots in one file that opens without a network."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATE = Path(__file__).with_name("page.html.j2")


@dataclass(frozen=True)
class Piece:
    """A stretch of prose, or a name or command that stands between backticks in it."""

    text: str
    is_code: bool


def split_code(text: str) -> tuple[Piece, ...]:
    """The text in pieces, the backticks taken off.

    >>> [(piece.text, piece.is_code) for piece in split_code("ask `opportune` first")]
    [('ask ', False), ('opportune', True), (' first', False)]
    """
    pieces = re.split(r"`([^`]+)`", text)
    return tuple(Piece(piece, at % 2 == 1) for at, piece in enumerate(pieces) if piece)


@dataclass(frozen=True)
class Picture:
    """A plot and what it says.

    Attributes:
        figure: The plot.
        caption: One sentence that says what is seen.
    """

    figure: "Figure"
    caption: str

    @property
    def data_uri(self) -> str:
        """The plot as an SVG inside the page."""
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
        return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


@dataclass(frozen=True)
class StoredPicture:
    """A plot that was drawn before, as PNG, and what it says.

    Attributes:
        png: The file.
        caption: One sentence that says what is seen.
    """

    png: bytes = field(repr=False)
    caption: str

    @property
    def data_uri(self) -> str:
        """The plot as an image inside the page."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True)
class Folded:
    """A long text that opens when its title is clicked."""

    title: str
    text: str


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Attributes:
        header: Names of the columns.
        rows: Cells, already written as text.
        caption: What the table holds.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def is_number(self, column: int) -> bool:
        """Whether the cells of a column begin like numbers; such columns are set right.

        Cells that are empty, or say that there is `none`, are no reason against it.

        >>> grid = Grid(("name", "n"), [("a", "1,200"), ("b", "-3.5 [-4, -3]"), ("c", "none")])
        >>> grid.is_number(0), grid.is_number(1)
        (False, True)
        """
        told = [row[column] for row in self.rows if row[column] not in ("", "none")]
        return bool(told) and all(re.match(r"[-+]?\d", cell) for cell in told)


@dataclass(frozen=True)
class Section:
    """A part of a page under its own heading.

    Attributes:
        title: Heading.
        paragraphs: Plain words first.
        points: A list, after the paragraphs.
        grids: Tables.
        pictures: Plots.
        listing: Text kept as it is, e.g. a record; empty for none.
        folded: Long texts at the end.
    """

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    pictures: Sequence[Picture | StoredPicture] = ()
    listing: str = ""
    folded: Sequence[Folded] = ()


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: Title.
        lead: What the reader should take away, in a sentence or two.
        sections: Its parts.
        footer: Where the figures come from.
    """

    title: str
    lead: str
    sections: Sequence[Section] = field(default_factory=tuple)
    footer: str = ""

    def to_html(self) -> str:
        """The page as one HTML document; every text is escaped."""
        environment = jinja2.Environment(
            autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters["split_code"] = split_code
        template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
        return template.render(page=self)

    def write(self, path: Path) -> Path:
        """Write the page, whole or not at all; the folder is made where it is missing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(self.to_html(), encoding="utf-8")
        return unfinished.replace(path)
