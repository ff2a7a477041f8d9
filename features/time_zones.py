"""Names of time zones, wherever a file or a request may hold one."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator


def _to_known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Almaty")
    return name


TimezoneName = Annotated[str, AfterValidator(_to_known_zone)]
