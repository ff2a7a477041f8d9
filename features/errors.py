"""The one tree of errors. Expected outcomes are values; these are for broken input and bugs.

Every class has a stable `code`. Exit statuses and HTTP statuses are mapped from these classes
in one place, `serving/faults.py`.
"""

from typing import ClassVar


class OpportuneError(Exception):
    """Root of every error that Opportune raises on purpose."""

    code: ClassVar[str] = "error"


class BadInputError(OpportuneError):
    """What was given cannot be used; the message names place, value and what was expected."""

    code = "bad_input"


class TablesRefusedError(BadInputError):
    """Tables break their contract; the message lists every violation."""

    code = "tables_refused"


class SourceUnreadableError(BadInputError):
    """A folder, file or database could not be read as tables."""

    code = "source_unreadable"


class ConfigurationError(BadInputError):
    """A setting or a configuration file is wrong."""

    code = "configuration"


class ConflictError(OpportuneError):
    """The request contradicts what is already recorded."""

    code = "conflict"


class NotReadyError(OpportuneError):
    """Something that must exist first does not exist yet (no snapshot, no model, no server)."""

    code = "not_ready"


class BusyError(OpportuneError):
    """Somebody else writes, and did so for longer than the caller would wait; nothing was done."""

    code = "busy"


class IncompatibleModelError(OpportuneError):
    """A model was made with feature definitions other than the running ones."""

    code = "incompatible_model"
