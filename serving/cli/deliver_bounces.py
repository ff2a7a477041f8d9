"""Letters that came back: a folder of mails is read, and what bounced is booked."""

from collections import Counter
from datetime import datetime
from pathlib import Path

from serving.cli.mails import read_mails
from serving.cli.output import show, show_json
from serving.delivery.live.bounces import book_bounce, read_bounce
from serving.store.store import Store


def read_bounces(store: Store, folder: Path, *, at: datetime, as_json: bool) -> None:
    """Book what mails of a folder report; reading them again changes nothing."""
    found: Counter[str] = Counter()
    for _, content in read_mails(folder, given="--bounces"):
        bounced = read_bounce(content)
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
