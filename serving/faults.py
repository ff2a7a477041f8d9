"""Errors as exit statuses and as HTTP answers: the one place that knows both."""

from dataclasses import dataclass
from http import HTTPStatus

from features.errors import (
    BadInputError,
    ConflictError,
    IncompatibleModelError,
    NotReadyError,
    OpportuneError,
)

EXIT_OK = 0
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
