"""The store of this home, for commands that read what was decided or change it."""

from pathlib import Path

from features.errors import SourceUnreadableError
from serving.settings import Settings
from serving.store.store import Store


def open_own_store(settings: Settings, *, instead: str = "") -> Store:
    """The store that decisions are kept in; one that is not there is not made.

    Args:
        settings: Where it is.
        instead: What else could be done, for the error.

    Raises:
        SourceUnreadableError: This home has none, as where its name is mistyped.
    """
    place = settings.store_place
    if isinstance(place, Path) and not place.exists():
        raise SourceUnreadableError(
            f"{place}: this home has no store yet, in which `opportune decide` and `opportune "
            f"serve` keep decisions{instead}"
        )
    return Store(place)
