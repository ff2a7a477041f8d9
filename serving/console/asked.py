"""What a request asks for, checked: filters, switches, rulings."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from features.vocabulary import Channel, Trigger
from serving.console.access import PostTokens
from serving.console.cells import CellFilter, CellKey
from serving.console.desk import MAX_REASON_CHARACTERS
from serving.console.values import Values
from serving.copy.stored import VariantState
from serving.faults import describe_validation

_T = TypeVar("_T", bound=BaseModel)
_MAX_FIELDS = 10

OR_NONE = BeforeValidator(lambda value: None if value == "" else value)
"""A form sends an empty text for what was not chosen."""

_Word = Annotated[str, Field(max_length=60)]


class Asked(BaseModel):
    """What a request asks for; what nobody knows is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class QueueAsked(Asked):
    """Which cells of the queue to list, and which page of them."""

    trigger: Annotated[Trigger | None, OR_NONE] = None
    channel: Annotated[Channel | None, OR_NONE] = None
    language: Annotated[_Word | None, OR_NONE] = None
    segment: Annotated[_Word | None, OR_NONE] = None
    state: Annotated[VariantState | None, OR_NONE] = None
    page: Annotated[int, Field(ge=1, le=100_000)] = 1

    @property
    def wanted(self) -> CellFilter:
        """The filter; `-` as the segment means variants for everybody."""
        return CellFilter(
            self.trigger,
            self.channel,
            self.language,
            "" if self.segment == EVERYBODY else self.segment,
            self.state,
        )


EVERYBODY = "-"


class LookAsked(Asked):
    """How a cell is looked at."""

    segment: _Word = ""
    values: Values = Values.EXAMPLE
    marks: bool = True


class _CellAsked(Asked):
    trigger: Trigger
    channel: Channel
    language: _Word


class PostAsked(Asked):
    """A form that says nothing but that it was sent."""


class RulingAsked(Asked):
    """What a form says about a variant, and how the cell was looked at."""

    seen: Annotated[int, Field(ge=0)]
    reason: Annotated[str, Field(max_length=MAX_REASON_CHARACTERS)] = ""
    values: Values = Values.EXAMPLE
    marks: bool = True


def read_query(request: Request, shape: type[_T]) -> _T:
    """The query in its shape; a wrong one is answered with 400 and every fault."""
    return _read(dict(request.query_params), shape)


def read_cell(request: Request) -> CellKey:
    """The cell of a path and its segment; 404 for triggers and channels that do not exist."""
    try:
        cell = _CellAsked.model_validate(request.path_params)
    except ValidationError as error:
        raise HTTPException(404, f"no such cell: {describe_validation(error)}") from None
    segment = read_query(request, LookAsked).segment
    return CellKey(cell.trigger, cell.channel, cell.language, segment)


async def read_form(request: Request, shape: type[_T], *, tokens: PostTokens) -> _T:
    """A posted form in its shape.

    Raises:
        HTTPException: 403 without the session's own token, 400 for wrong fields.
    """
    async with request.form(max_files=0, max_fields=_MAX_FIELDS) as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    if not tokens.is_of(request.session, token=fields.get("token", "")):
        raise HTTPException(403, "the form is not from this session: open the page again")
    return _read(fields, shape)


def _read(fields: Mapping[str, str], shape: type[_T]) -> _T:
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        raise HTTPException(400, describe_validation(error)) from None
