"""Letters that came back: a folder of mails is read, and what bounced is booked."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from features.errors import SourceUnreadableError
from serving.cli.output import show, show_json
from serving.delivery.live.bounces import book_bounce, read_bounce
from serving.store.store import Store


def read_bounces(store: Store, folder: Path, *, at: datetime, as_json: bool) -> None:
    """Book what mails of a folder report; reading them again changes nothing."""
    found: Counter[str] = Counter()
    for path in _list_mails(folder):
        try:
            bounced = read_bounce(path.read_bytes())
        except OSError as fault:
            raise SourceUnreadableError(f"{path}: {fault.strerror}") from fault
        if bounced is None:
            found["no_report"] += 1
            continue
        with store.transaction() as session:
            found[book_bounce(session, bounced, now=at).value] += 1
    if as_json:
        show_json({"bounces": dict(sorted(found.items()))})
    else:
        states = ", ".join(f"{n:,} {state}" for state, n in sorted(found.items()))
        show(f"bounces: {states or 'no mails'}")


def _list_mails(folder: Path) -> Iterator[Path]:
    """Files of a folder, and of `new` and `cur` where it is a Maildir."""
    if not folder.is_dir():
        raise SourceUnreadableError(f"--bounces {folder}: expected a folder of mails")
    for place in (folder, folder / "new", folder / "cur"):
        if place.is_dir():
            yield from (one for one in sorted(place.iterdir()) if one.is_file())
