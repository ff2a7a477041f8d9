"""Commands of the log: whether it is whole, what it tells, and its signed head for elsewhere."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import BadInputError, SourceUnreadableError
from serving.audit.anchor_notice import leave_anchor_notice
from serving.audit.anchors import (
    Anchor,
    make_keys,
    name_anchor_file,
    read_anchors,
    read_private_key,
    read_public_key,
    write_anchor,
)
from serving.audit.chain import verify_chain
from serving.audit.entries import Entry
from serving.audit.story import tell_entries
from serving.cli.output import JsonOption, say, show, show_json
from serving.cli.own_store import open_own_store
from serving.cli.zones import read_zone
from serving.faults import EXIT_REFUSED
from serving.policy.cases import from_us
from serving.settings import read_settings

audit = typer.Typer(
    help="The log of what was seen, decided, done and said; chained, so that changes show.",
    no_args_is_help=True,
)


@audit.command("verify")
def verify(
    anchor: Annotated[
        list[Path] | None,
        typer.Option(help="File of anchors, or a folder of them; may be repeated."),
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(help="Key that anchors are checked with (PEM).")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the chain and name the first thing that is wrong; 1 where something is."""
    if anchor and public_key is None:
        raise BadInputError("--anchor: expected the --public-key that anchors are checked with")
    key = None if public_key is None else read_public_key(public_key)
    found = [
        one
        for path in _list_files(anchor or [])
        if key is not None
        for one in read_anchors(_read_text(path), key=key, place=str(path))
    ]
    with closing(open_own_store(read_settings())) as store, store.reading() as session:
        verdict = verify_chain(session.audit.read(), anchors=found)
    if as_json:
        show_json(
            {
                "rows": verdict.n,
                "head": verdict.head,
                "fault": verdict.fault,
                "anchors": verdict.n_anchors,
            }
        )
    elif verdict.fault is None:
        show(f"{verdict.n:,} rows, whole; {verdict.n_anchors} anchors agree; head {verdict.head}")
        if not found:
            say("without an anchor a cut tail, or a chain written anew, would not be seen")
    else:
        show(verdict.fault)
    if verdict.fault is not None:
        raise typer.Exit(EXIT_REFUSED)


@audit.command("show")
def show_entries(
    subject: Annotated[
        str | None, typer.Option(help="Such as incident/i7; everything when not given.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="IANA name of the clock to tell it by; OPPORTUNE_ZONE.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Tell what happened, in order."""
    settings = read_settings()
    clock = read_zone(zone or settings.zone, given="--zone" if zone else "OPPORTUNE_ZONE")
    with closing(open_own_store(settings)) as store, store.reading() as session:
        entries = list(session.audit.read(subject=subject))
    try:
        told = [_describe(entry) for entry in entries]
        lines = list(tell_entries(entries, zone=clock))
    except (ValueError, TypeError, OverflowError) as fault:
        raise SourceUnreadableError(
            "audit_log: a row holds what nobody can tell; `opportune audit verify` names it"
        ) from fault
    if as_json:
        show_json({"entries": told})
        return
    if not entries:
        say("nothing was written" if subject is None else f"nothing was written about {subject}")
    for line in lines:
        show(line)


@audit.command("key")
def make_key(
    out: Annotated[Path, typer.Option(help="Folder for anchor.key and anchor.pub.")],
) -> None:
    """Make the pair of keys that anchors are signed and checked with."""
    try:
        private, public = make_keys(out)
    except OSError as fault:
        raise BadInputError(f"--out {out}: cannot be written to: {fault.strerror}") from fault
    show(f"{private} signs; keep it from others")
    show(f"{public} checks; keep it where the anchors are")


@audit.command("anchor")
def make_anchor(
    key: Annotated[Path, typer.Option(help="Key that signs (PEM).")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder elsewhere: gets anchor-DAY.jsonl. Printed when no way is given."),
    ] = None,
    mail: Annotated[
        bool, typer.Option("--mail", help="Tell the owner, by `opportune deliver --live`.")
    ] = False,
) -> None:
    """Sign the head of the log, to be kept elsewhere: once a day, by mail or as a file."""
    signer = read_private_key(key)
    now = datetime.now(UTC)
    with closing(open_own_store(read_settings())) as store, store.transaction() as session:
        seq, head = session.audit.find_head()
        line = write_anchor(Anchor.of(seq, head, at=now), key=signer)
        is_new = mail and leave_anchor_notice(session, line, seq=seq, at=now)
    if mail:
        left = "left" if is_new else "nothing new since one was left today"
        say(f"{seq:,} rows: {left} for the owner, whom `opportune deliver --live` tells")
    if out is None:
        if not mail:
            show(line)
        return
    path = out / name_anchor_file(now)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    except OSError as fault:
        raise BadInputError(f"--out {out}: cannot be written to: {fault.strerror}") from fault
    show(f"{path}: {seq:,} rows, head {head}")


def _list_files(places: list[Path]) -> list[Path]:
    files: list[Path] = []
    for place in places:
        if place.is_dir():
            found = sorted(place.glob("anchor-*.jsonl"))
            if not found:
                raise BadInputError(f"{place}: expected anchor-*.jsonl in it, found none")
            files += found
        else:
            files.append(place)
    return files


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as fault:
        raise SourceUnreadableError(f"{path}: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise SourceUnreadableError(f"{path}: expected text in UTF-8") from fault


def _describe(entry: Entry) -> dict[str, str | int]:
    return {
        "seq": entry.seq,
        "at": from_us(entry.at_us).isoformat(),
        "kind": entry.kind,
        "subject": entry.subject,
        "by": entry.by,
        "words": entry.words,
        "body": entry.body,
        "hash": entry.hash,
    }
