"""Options in which people say who they are and why: the log keeps it, so it must say something."""

from typing import Annotated

import typer

from features.errors import BadInputError
from serving.corridor.switch_names import MOST_BYTES, is_switch_name


def require_name(name: str) -> str:
    """A name that can stand in the log; BadInputError says what was given in its place."""
    if not is_switch_name(name):
        raise BadInputError(
            f"--by {name!r}: expected a printable name of at most {MOST_BYTES} bytes"
        )
    return name


def _require_reason(why: str) -> str:
    if not why.strip():
        raise BadInputError(f"--why {why!r}: expected a reason, in your own words")
    return why


ByOption = Annotated[
    str, typer.Option("--by", help="Who says so; the log keeps it.", callback=require_name)
]
WhyOption = Annotated[
    str, typer.Option("--why", help="In your own words.", callback=_require_reason)
]
