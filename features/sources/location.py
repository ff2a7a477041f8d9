"""What names a place of tables: a path, or the address of a database, told without its password."""

import re
from dataclasses import dataclass, field
from pathlib import Path

_DATABASE = re.compile(r"^postgres(?:ql)?(?:\+psycopg)?://", re.IGNORECASE)
_USER_PASSWORD = re.compile(r"(://[^:/@?]*):[^/?]*@")
_QUERY_PASSWORD = re.compile(r"(?<=[?&])password=[^&]*&?")


@dataclass(frozen=True)
class Location:
    """A path or the address of a database.

    Attributes:
        text: As it was given, with a password where there is one.

    >>> str(Location("postgresql://ann:secret@host/shop?schema=sales"))
    'postgresql://ann@host/shop?schema=sales'
    """

    text: str = field(repr=False)

    @property
    def is_database(self) -> bool:
        """Whether this is the address of a PostgreSQL database."""
        return bool(_DATABASE.match(self.text))

    @property
    def path(self) -> Path:
        """The path, where it is one."""
        return Path(self.text)

    def __str__(self) -> str:
        if not self.is_database:
            return self.text
        bare = _USER_PASSWORD.sub(r"\1@", self.text)
        return _QUERY_PASSWORD.sub("", bare).rstrip("?&")


def locate(place: "str | Path | Location") -> Location:
    """The location that a path or an address names."""
    return place if isinstance(place, Location) else Location(str(place))
