"""The secret that cookies and forms are signed with: one for all workers of a home."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from features.errors import ConfigurationError

_FILE = "console.key"
_N_BYTES = 32
_OWNERS_ONLY = 0o600
_OTHERS = 0o077


def keep_secret(home: Path) -> str:
    """The secret of this home, made where there is none yet.

    Workers start together: whoever comes second takes what the first one kept.

    Raises:
        ConfigurationError: It cannot be kept or read, is too short, or others may read it.
    """
    path = home / _FILE
    try:
        if not path.exists():
            _make(path)
        mode = path.stat().st_mode
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigurationError(f"{path}: cannot be kept or read: {fault}") from fault
    if os.name == "posix" and mode & _OTHERS:
        raise ConfigurationError(f"{path}: others may read it; expected `chmod 600 {path}`")
    if len(secret) < _N_BYTES:
        raise ConfigurationError(f"{path}: expected a secret of at least {_N_BYTES} characters")
    return secret


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    draft.touch(mode=_OWNERS_ONLY, exist_ok=False)
    draft.write_text(secrets.token_urlsafe(_N_BYTES), encoding="ascii")
    try:
        with suppress(FileExistsError):  # somebody else's is there whole, and counts
            os.link(draft, path)
    finally:
        draft.unlink()
