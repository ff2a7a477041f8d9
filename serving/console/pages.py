"""The pages of the review: the queue, a cell, an e-mail in its frame, what follows a verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.authentication import requires
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from features.errors import BadInputError
from serving.console.access import DECIDE, LOOK, PostTokens
from serving.console.asked import (
    EVERYBODY,
    LookAsked,
    QueueAsked,
    RulingAsked,
    read_cell,
    read_form,
    read_query,
)
from serving.console.cards import Card
from serving.console.cells import CellKey, find_next, gather_cells
from serving.console.desk import MAX_REASON_CHARACTERS, Desk, Done, Refused, Ruling, Verdict
from serving.console.gallery import Gallery
from serving.console.headers import LETTER_POLICY
from serving.console.links import (
    SAID,
    keep_switches,
    link,
    link_cell,
    link_letter,
    link_next,
    link_page,
    make_anchor,
)
from serving.console.templating import Renderer
from serving.console.values import Values
from serving.copy.cleaning import shorten
from serving.copy.content import Unrenderable
from serving.copy.stored import StoredVariant, VariantState

_CELLS_ON_A_PAGE = 50
_ANGLE_CHARACTERS = 60  # also keeps the cookie small that says what was done


@dataclass(frozen=True)
class Problem:
    """What was wrong with a form, beside the card it belongs to."""

    variant_id: str
    text: str


@dataclass(frozen=True)
class ReviewPages:
    """Endpoints of the review.

    Attributes:
        desk: Where verdicts are carried out.
        gallery: Draws texts.
        tokens: Of forms.
        renderer: Makes pages.
    """

    desk: Desk
    gallery: Gallery
    tokens: PostTokens
    renderer: Renderer

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def queue(self, request: Request) -> Response:
        """Which cells have variants, those with something to review first."""
        asked = read_query(request, QueueAsked)
        everything = gather_cells(self.desk.shelf.list_tallies())
        cells = [cell for cell in everything if asked.wanted.admits(cell)]
        n_pages = max(1, -(-len(cells) // _CELLS_ON_A_PAGE))
        asked = asked.model_copy(update={"page": min(asked.page, n_pages)})
        start = (asked.page - 1) * _CELLS_ON_A_PAGE
        return self.renderer.answer(
            request,
            "queue",
            asked=asked,
            cells=cells[start : start + _CELLS_ON_A_PAGE],
            cell_link=lambda key: link_cell(request, key),
            page_link=lambda page: link_page(request, asked, page),
            n_cells=len(cells),
            n_pages=n_pages,
            n_waiting=sum(cell.n_waiting for cell in everything),
            triggers=sorted({cell.key.trigger for cell in everything}),
            channels=sorted({cell.key.channel for cell in everything}),
            languages=sorted({cell.key.language for cell in everything}),
            segments=sorted({cell.key.segment or EVERYBODY for cell in everything}),
            states=sorted({state for cell in everything for state in cell.counts}),
            said=request.session.pop(SAID, ""),
        )

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def cell(self, request: Request) -> Response:
        """The texts of a cell side by side."""
        return self._show_cell(request, read_cell(request), asked=read_query(request, LookAsked))

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def next_cell(self, request: Request) -> Response:
        """On to the first other cell with something to review, else to the queue."""
        cells = gather_cells(self.desk.shelf.list_tallies())
        key = find_next(cells, after=read_cell(request))
        if key is None:
            request.session[SAID] = "No other cell has anything to review."
            return RedirectResponse(link(request, "queue"), HTTPStatus.SEE_OTHER)
        at = link_cell(request, key, **keep_switches(read_query(request, LookAsked)))
        return RedirectResponse(at, HTTPStatus.SEE_OTHER)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def variant(self, request: Request) -> Response:
        """Where a variant is looked at."""
        row = self._get(request.path_params["variant_id"])
        at = link_cell(request, CellKey.of(row), fragment=make_anchor(row.variant_id))
        return RedirectResponse(at, HTTPStatus.SEE_OTHER)

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    def letter(self, request: Request) -> Response:
        """An e-mail's own HTML, for its frame."""
        asked = read_query(request, LookAsked)
        name = request.path_params["variant_id"]
        cards = self._hang(read_cell(request), asked=asked)
        preview = next((card.preview for card in cards if card.variant_id == name), None)
        if preview is None or isinstance(preview, Unrenderable) or preview.html is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"no e-mail {name!r} in this cell")
        return HTMLResponse(preview.html, headers={"Content-Security-Policy": LETTER_POLICY})

    @requires(LOOK, status_code=HTTPStatus.UNAUTHORIZED)
    @requires(DECIDE, status_code=HTTPStatus.FORBIDDEN)
    async def rule(self, request: Request) -> Response:
        """Carry a verdict out; then on to the next variant that waits."""
        asked = await read_form(request, RulingAsked, tokens=self.tokens)
        try:
            verdict = Verdict(request.path_params["verdict"])
        except ValueError as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from None
        ruling = Ruling(
            variant_id=request.path_params["variant_id"],
            verdict=verdict,
            reason=asked.reason,
            seen=asked.seen,
            by=request.user.display_name,
        )
        return await run_in_threadpool(self._rule, request, ruling, asked)

    def _rule(self, request: Request, ruling: Ruling, asked: RulingAsked) -> Response:
        key = CellKey.of(self._get(ruling.variant_id))
        look = LookAsked(segment=key.segment, values=asked.values, marks=asked.marks)
        if ruling.lacks_reason:
            problem = Problem(ruling.variant_id, "Say in a few words why it is rejected.")
            return self._show_cell(
                request, key, asked=look, problem=problem, status=HTTPStatus.UNPROCESSABLE_ENTITY
            )
        outcome = self.desk.rule(ruling)
        if isinstance(outcome, Refused):
            return self._show_refusal(request, ruling, outcome)
        return self._go_on(request, outcome, ruling=ruling, asked=look)

    def _go_on(self, request: Request, done: Done, *, ruling: Ruling, asked: LookAsked) -> Response:
        """Back to the cell, at the next text that waits, or where the next cell is offered."""
        key = CellKey.of(done.row)
        rows = self._list_rows(key)
        waiting = [row for row in rows if row.state is VariantState.DRAFT]
        after = [row for row in waiting if _order(row) > _order(done.row)] or waiting
        request.session[SAID] = f"{_name(done.row, rows=rows)} is {ruling.verdict.past}."
        at = link_cell(
            request,
            key,
            fragment=make_anchor(after[0].variant_id) if after else "next",
            **keep_switches(asked),
        )
        return RedirectResponse(at, HTTPStatus.SEE_OTHER)

    def _show_refusal(self, request: Request, ruling: Ruling, refused: Refused) -> Response:
        key = CellKey.of(refused.row)
        return self.renderer.answer(
            request,
            "refused",
            status=HTTPStatus.CONFLICT,
            ruling=ruling,
            refused=refused,
            name=_name(refused.row, rows=self._list_rows(key)),
            back=link_cell(request, key, fragment=make_anchor(refused.row.variant_id)),
        )

    def _show_cell(
        self,
        request: Request,
        key: CellKey,
        *,
        asked: LookAsked,
        problem: Problem | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        cards = self._hang(key, asked=asked)
        return self.renderer.answer(
            request,
            "cell",
            status=status,
            key=key,
            cards=cards,
            names=_name_cards(cards),
            n_stored=sum(card.row is not None for card in cards),
            n_templates=sum(card.row is None for card in cards),
            n_waiting=sum(card.waits for card in cards),
            values=Values,
            max_reason=MAX_REASON_CHARACTERS,
            asked=asked,
            problem=problem,
            currency=self.gallery.settings.currency,
            brand=self.gallery.settings.brand,
            here=lambda **query: link_cell(request, key, **{**keep_switches(asked), **query}),
            letter=lambda name: link_letter(request, key, name, asked=asked),
            onwards=link_next(request, key, asked=asked),
            said=request.session.pop(SAID, ""),
        )

    def _hang(self, key: CellKey, *, asked: LookAsked) -> tuple[Card, ...]:
        """Cards of a cell; 404 where nothing is stored for it."""
        rows = self._list_rows(key)
        if not rows:
            raise HTTPException(HTTPStatus.NOT_FOUND, "no variants are stored for this cell")
        return self.gallery.hang(
            key,
            rows=rows,
            histories=self.desk.shelf.histories(row.variant_id for row in rows),
            today=self.desk.clock().astimezone(UTC).date(),
            values=asked.values,
            is_marked=asked.marks,
        )

    def _list_rows(self, key: CellKey) -> list[StoredVariant]:
        """Variants of a cell, as they came: their places stay while they are decided on."""
        rows = self.desk.shelf.find(trigger=key.trigger, channel=key.channel, language=key.language)
        return sorted((row for row in rows if CellKey.of(row) == key), key=_order)

    def _get(self, variant_id: str) -> StoredVariant:
        try:
            return self.desk.shelf.get(variant_id)
        except BadInputError as error:
            raise HTTPException(HTTPStatus.NOT_FOUND, str(error)) from None


def _order(row: StoredVariant) -> tuple[datetime, str]:
    return row.created_at, row.variant_id


def _name(row: StoredVariant, *, rows: Sequence[StoredVariant]) -> str:
    """As the heading of its card says: its place among the cell's variants, and its angle."""
    place = [one.variant_id for one in rows].index(row.variant_id) + 1
    angle = shorten(row.draft.angle, cap=_ANGLE_CHARACTERS, width=len, ellipsis="…")
    return f"Variant {place} ({angle})" if angle else f"Variant {place}"


def _name_cards(cards: Sequence[Card]) -> dict[str, str]:
    """Headings by variant."""
    rows = [card.row for card in cards if card.row is not None]
    named = {row.variant_id: _name(row, rows=rows) for row in rows}
    return {
        card.variant_id: named.get(
            card.variant_id, f"Template ({card.variant_id.rpartition('.')[2]})"
        )
        for card in cards
    }
