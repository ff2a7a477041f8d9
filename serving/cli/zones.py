"""Time zones that are given to commands by their names."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.errors import BadInputError


def read_zone(name: str) -> ZoneInfo:
    """The zone that `--zone` names; BadInputError where there is none of that name.

    >>> read_zone("Asia/Almaty").key
    'Asia/Almaty'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # `Asia` is a folder
        raise BadInputError(
            f"--zone {name!r}: expected an IANA name such as Asia/Almaty"
        ) from error
