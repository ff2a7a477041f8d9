"""The console as web applications: their routes, and what guards them.

`make_app` is the review of variants alone, for whom the command line lets in (`run` starts it).
`make_console` is all of it, for people with accounts; the service mounts it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from features.errors import OpportuneError
from serving.console.access import Door, PostTokens, SessionVisitors, Visitor, recall_signed
from serving.console.accounts import LONGEST, Accounts
from serving.console.attempts import Attempts
from serving.console.cases import CasePages
from serving.console.customers import CustomerPages
from serving.console.desk import Desk
from serving.console.entrance import Entrance
from serving.console.gallery import Gallery
from serving.console.headers import SafeHeaders
from serving.console.house import House
from serving.console.incident_words import IncidentWordPages
from serving.console.incidents import IncidentPages
from serving.console.log import LogPages
from serving.console.overview import OverviewPage
from serving.console.pages import ReviewPages
from serving.console.refusals import Refusals
from serving.console.sections import REVIEW_ALONE, SECTIONS
from serving.console.signing import SigningPages, is_looking_by_itself
from serving.console.switches import SwitchPages
from serving.console.tasks import TaskPages
from serving.console.templating import Renderer
from serving.console.words import WordPages

_STATIC: Final = Path(__file__).with_name("static")
_MAX_BODY_BYTES: Final = 20_000
_REVIEW_SECONDS: Final = 8 * 60 * 60


@dataclass(frozen=True)
class Guarding:
    """How visitors are told apart.

    Attributes:
        secret: Signs cookies and forms; whoever knows it and is in can forge forms.
        hosts: Names that this server is reached by; requests for others are refused, so that no
            other site can pass as ours.
        cookie: Name of the session's cookie; browsers share them between ports of one host.
        path: Under which the application is mounted; the cookie goes nowhere else.
        is_https: Whether the cookie may only travel encrypted.
    """

    secret: str
    hosts: Sequence[str]
    cookie: str = "opportune_console"
    path: str = "/"
    is_https: bool = False


def make_app(desk: Desk, *, gallery: Gallery, door: Door, guarding: Guarding) -> Starlette:
    """The review of variants alone.

    Args:
        desk: Variants, and the clock by which verdicts are dated.
        gallery: Draws texts.
        door: Who lets people in.
        guarding: How visitors are told apart.
    """
    tokens = PostTokens(guarding.secret)
    renderer = Renderer(tokens=tokens, sections=REVIEW_ALONE)
    entrance = Entrance(door=door, tokens=tokens, renderer=renderer)
    routes = [
        *_list_review(ReviewPages(desk=desk, gallery=gallery, tokens=tokens, renderer=renderer)),
        Route("/enter", entrance.enter, name="enter"),
        Route("/leave", entrance.leave, name="leave", methods=["POST"]),
    ]
    return _assemble(
        routes,
        guarding=guarding,
        recall=recall_signed,
        refusals=Refusals(renderer, stranger="refusal"),
        seconds=_REVIEW_SECONDS,
    )


def make_console(
    house: House, *, desk: Desk, gallery: Gallery, accounts: Accounts, guarding: Guarding
) -> Starlette:
    """All of the console, for people with accounts.

    Args:
        house: What there is to look at and to decide.
        desk: Variants, and the clock by which verdicts on them are dated.
        gallery: Draws texts.
        accounts: Who may come in, and who is in.
        guarding: How visitors are told apart.
    """
    tokens = PostTokens(guarding.secret)
    renderer = Renderer(tokens=tokens, sections=SECTIONS, zone=house.find_zone())
    review = ReviewPages(desk=desk, gallery=gallery, tokens=tokens, renderer=renderer)
    signing = SigningPages(
        accounts=accounts,
        attempts=Attempts(house.store, clock=house.clock),
        tokens=tokens,
        renderer=renderer,
    )

    def recall(conn: HTTPConnection) -> Visitor | None:
        return accounts.recall(conn.session, is_active=not is_looking_by_itself(conn))

    routes: list[BaseRoute] = [
        *OverviewPage(house, renderer).list_routes(),
        *IncidentPages(house, renderer).list_routes(),
        *IncidentWordPages(house, tokens).list_routes(),
        *CasePages(house, renderer).list_routes(),
        *TaskPages(house, tokens, renderer).list_routes(),
        *CustomerPages(house, renderer).list_routes(),
        *WordPages(house, tokens, renderer).list_routes(),
        *SwitchPages(house, tokens, renderer).list_routes(),
        *LogPages(house, renderer).list_routes(),
        *signing.list_routes(),
        Mount("/texts", routes=_list_review(review)),
    ]
    return _assemble(
        routes,
        guarding=guarding,
        recall=recall,
        refusals=Refusals(renderer, stranger="sign_in"),
        seconds=int(LONGEST.total_seconds()),
    )


def _list_review(review: ReviewPages) -> list[BaseRoute]:
    cell = "/cells/{trigger}/{channel}/{language}"
    return [
        Route("/", review.queue, name="queue"),
        Route(cell, review.cell, name="cell"),
        Route(f"{cell}/letters/{{variant_id}}", review.letter, name="letter"),
        Route("/next/{trigger}/{channel}/{language}", review.next_cell, name="next"),
        Route("/variants/{variant_id}", review.variant, name="variant"),
        Route("/variants/{variant_id}/{verdict}", review.rule, name="rule", methods=["POST"]),
    ]


def _assemble(
    routes: Sequence[BaseRoute],
    *,
    guarding: Guarding,
    recall: Callable[[HTTPConnection], Visitor | None],
    refusals: Refusals,
    seconds: int,
) -> Starlette:
    return Starlette(
        routes=[*routes, Mount("/static", StaticFiles(directory=_STATIC), name="static")],
        middleware=[
            Middleware(SafeHeaders),
            Middleware(
                TrustedHostMiddleware, allowed_hosts=list(guarding.hosts), www_redirect=False
            ),
            Middleware(RequestBodyLimitMiddleware, max_body_size=_MAX_BODY_BYTES),
            Middleware(
                SessionMiddleware,
                secret_key=guarding.secret,
                session_cookie=guarding.cookie,
                max_age=seconds,
                path=guarding.path,
                same_site="strict",
                https_only=guarding.is_https,
            ),
            Middleware(AuthenticationMiddleware, backend=SessionVisitors(recall)),
        ],
        exception_handlers={
            HTTPException: refusals.answer,
            OpportuneError: refusals.answer,
            HTTPStatus.INTERNAL_SERVER_ERROR: refusals.fail,
        },
    )
