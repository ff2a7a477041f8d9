"""Passwords, by argon2id with the library's own settings (argon2-cffi, RFC 9106)."""

import secrets
import unicodedata
from functools import cached_property
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from features.errors import BadInputError

LEAST_CHARACTERS: Final = 12
MOST_CHARACTERS: Final = 200
_AT_ONCE = 2  # each takes 64 MiB for a moment


class Passwords:
    """Hashes passwords, and compares: as slowly for somebody unknown as for anybody else."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """Use the library's settings, unless others are given."""
        self._hasher = hasher or PasswordHasher()
        self._room = BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            BadInputError: It is too short or too long; it is not repeated in the message.
        """
        if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
            raise BadInputError(
                f"password: expected {LEAST_CHARACTERS} to {MOST_CHARACTERS} characters, "
                f"got {len(password)}"
            )
        with self._room:
            return self._hasher.hash(_spell(password))

    def is_right(self, password: str, *, password_hash: str | None) -> bool:
        """Whether it is the password of that hash; None: of nobody, which takes as long."""
        if len(password) > MOST_CHARACTERS:
            return False
        with self._room:
            nobodys = self._nobodys  # made for the first one who asks, whoever that is
            try:
                is_same = self._hasher.verify(password_hash or nobodys, _spell(password))
            except (VerificationError, InvalidHashError):
                return False
        return is_same and password_hash is not None

    @cached_property
    def _nobodys(self) -> str:
        """Of a password that nobody has."""
        return self._hasher.hash(secrets.token_urlsafe())

    def is_stale(self, password_hash: str) -> bool:
        """Whether the library has stronger settings by now."""
        return self._hasher.check_needs_rehash(password_hash)


def _spell(password: str) -> str:
    """One spelling of letters that keyboards write in several ways."""
    return unicodedata.normalize("NFKC", password)
