"""Time zones that are given to commands by their names."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.errors import BadInputError


def read_zone(name: str, *, given: str = "--zone") -> ZoneInfo:
    """The zone of that name; BadInputError where there is none, and where it was given.

    >>> read_zone("Asia/Almaty").key
    'Asia/Almaty'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # `Asia` is a folder
        raise BadInputError(
            f"{given} {name!r}: expected an IANA name such as Asia/Almaty"
        ) from error
