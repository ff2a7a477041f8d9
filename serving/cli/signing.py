"""Who asks at a command line."""

import getpass
from datetime import UTC, datetime

from training.registry.audit import Audit


def sign(reason: str = "") -> Audit:
    """Who asks, now and why."""
    try:
        by = getpass.getuser()
    except (OSError, KeyError):  # a container may have no name for its user
        by = "unknown"
    return Audit(by, datetime.now(UTC), reason)
