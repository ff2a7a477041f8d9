"""Addresses of the console's own pages, wherever it is mounted."""

from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request

from serving.console.asked import LookAsked, QueueAsked
from serving.console.cells import CellKey
from serving.console.values import Values

SAID: Final = "said"
"""Where a session keeps what was done, until the next page says it."""


def link(request: Request, name: str, /, **path: str) -> str:
    """The address of a route on this server, wherever the application is mounted."""
    quoted = {key: quote(value, safe="/") for key, value in path.items()}
    return request.url_for(name, **quoted).path


def link_subject(request: Request, subject: str, /) -> str | None:
    """Where an incident or a case is looked at; None for what has no page."""
    kind, _, identity = subject.partition("/")
    if kind == "incident" and identity:
        return link(request, "incident", incident_id=identity)
    if kind == "case" and identity:
        return link(request, "case", case_id=identity)
    return None


def link_cell(request: Request, key: CellKey, /, *, fragment: str = "", **query: object) -> str:
    """The address of a cell's page."""
    at = link(request, "cell", **_path_of(key))
    return make_address(at, fragment=fragment, segment=key.segment, **query)


def link_next(request: Request, key: CellKey, /, *, asked: LookAsked) -> str:
    """Where to go on after a cell."""
    at = link(request, "next", **_path_of(key))
    return make_address(at, segment=key.segment, **keep_switches(asked))


def link_letter(request: Request, key: CellKey, variant_id: str, /, *, asked: LookAsked) -> str:
    """The address of an e-mail's own HTML."""
    at = link(request, "letter", variant_id=variant_id, **_path_of(key))
    return make_address(at, segment=key.segment, **keep_switches(asked))


def link_page(request: Request, asked: QueueAsked, page: int, /) -> str:
    """The address of another page of the queue, filtered alike."""
    return make_address(link(request, "queue"), **asked.model_dump() | {"page": page})


def keep_switches(asked: LookAsked) -> dict[str, str]:
    """The switches of a cell's page as a query; empty where they are as they begin."""
    return {
        "values": "" if asked.values is Values.EXAMPLE else asked.values.value,
        "marks": "" if asked.marks else "false",
    }


def make_address(path: str, /, *, fragment: str = "", **query: object) -> str:
    """A path with a query; what is None or empty is left out.

    >>> make_address("/cells", fragment="v-1", segment="", values="longest")
    '/cells?values=longest#v-1'
    """
    told = {name: str(value) for name, value in query.items() if value not in (None, "")}
    return "".join(
        (path, f"?{urlencode(told)}" if told else "", f"#{fragment}" if fragment else "")
    )


def make_anchor(variant_id: str) -> str:
    """The id of a variant's card on its page."""
    return f"v-{variant_id}"


def _path_of(key: CellKey) -> dict[str, str]:
    return {"trigger": key.trigger, "channel": key.channel, "language": key.language}
