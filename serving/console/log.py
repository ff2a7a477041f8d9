"""The page of the log: its last entries, and whether its chain is whole."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from pydantic import Field
from starlette.authentication import requires
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serving.audit.chain import verify_chain
from serving.audit.entries import Entry
from serving.console.access import LOOK
from serving.console.asked import Asked, read_query
from serving.console.house import House
from serving.console.story import list_days
from serving.console.templating import Renderer

_TAIL = 100
_VERIFIED_UNASKED = 20_000
"""Up to so many rows every look at the page follows the whole chain."""


class LogAsked(Asked):
    """Which entries, and whether to follow the chain however long it is."""

    subject: Annotated[str, Field(max_length=300)] = ""
    verify: bool = False


@dataclass(frozen=True)
class LogPages:
    """The endpoint of the log."""

    house: House
    renderer: Renderer

    def list_routes(self) -> Sequence[BaseRoute]:
        """Where it is."""
        return [Route("/log", self.show, name="log")]

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def show(self, request: Request) -> Response:
        """The last entries, the newest first, of everything or of a subject."""
        asked = read_query(request, LogAsked)
        with self.house.store.reading() as session:
            n_rows, _ = session.audit.find_head()
            verifies = asked.verify or n_rows <= _VERIFIED_UNASKED
            tail: deque[Entry] = deque(maxlen=_TAIL)
            if verifies:
                verdict = verify_chain(
                    _keep(session.audit.read(), tail, subject=asked.subject or None)
                )
            else:
                verdict = None
                tail.extend(session.audit.read(subject=asked.subject or None))
        return self.renderer.answer(
            request,
            "log",
            days=list_days(reversed(tail), zone=self.renderer.zone),
            asked=asked,
            n_rows=n_rows,
            n_tail=_TAIL,
            verdict=verdict,
        )


def _keep(
    entries: Iterator[Entry], tail: "deque[Entry]", *, subject: str | None
) -> Iterator[Entry]:
    """Entries as they pass by; the last ones of the subject stay in the tail."""
    for entry in entries:
        if subject is None or entry.subject == subject:
            tail.append(entry)
        yield entry
