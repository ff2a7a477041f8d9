"""Errors as exit statuses and as HTTP answers: the one place that knows both."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import ValidationError

from features.errors import (
    BadInputError,
    BusyError,
    ConflictError,
    IncompatibleModelError,
    NotReadyError,
    OpportuneError,
)

EXIT_REFUSED = 1  # a gate or a check said no: an expected answer, not a fault


@dataclass(frozen=True)
class FaultStatus:
    """What the command line and the service answer with."""

    exit_status: int
    http_status: HTTPStatus


_STATUSES: tuple[tuple[type[OpportuneError], FaultStatus], ...] = (
    (BadInputError, FaultStatus(2, HTTPStatus.BAD_REQUEST)),
    (ConflictError, FaultStatus(3, HTTPStatus.CONFLICT)),
    (NotReadyError, FaultStatus(4, HTTPStatus.SERVICE_UNAVAILABLE)),
    (IncompatibleModelError, FaultStatus(5, HTTPStatus.SERVICE_UNAVAILABLE)),
    (BusyError, FaultStatus(6, HTTPStatus.SERVICE_UNAVAILABLE)),
)


def status_of(error: OpportuneError) -> FaultStatus:
    """The statuses of an error; subclasses answer like their class.

    >>> from features.errors import TablesRefusedError
    >>> status_of(TablesRefusedError("no customers")).exit_status
    2
    """
    for kind, status in _STATUSES:
        if isinstance(error, kind):
            return status
    return FaultStatus(70, HTTPStatus.INTERNAL_SERVER_ERROR)


def describe_validation(error: ValidationError, *, tells_values: bool = False) -> str:
    """Every fault of a validation in words: the place and what is wrong.

    Args:
        error: Of a model.
        tells_values: Whether single values are told as well; not where they may be somebody's.

    >>> from serving.policy.settings import QuietHours
    >>> try:
    ...     QuietHours(from_hour=25, to_hour=9, until=3)
    ... except ValidationError as fault:
    ...     print(describe_validation(fault))
    from_hour: Input should be less than or equal to 23; until: Extra inputs are not permitted
    """
    faults = error.errors(include_url=False, include_input=tells_values, include_context=False)
    return "; ".join(
        f"{name_place(fault['loc'])}: {fault['msg']}{_tell_value(fault.get('input'))}"
        for fault in faults
    )


def _tell_value(value: object) -> str:
    return f", got {value!r}" if isinstance(value, (str, int, float)) else ""


def name_place(loc: Sequence[str | int]) -> str:
    """Where in a body a fault is, in words.

    >>> name_place(("profile", "timezone")), name_place(())
    ('profile.timezone', 'as a whole')
    """
    return ".".join(str(part) for part in loc) or "as a whole"
