"""The command that delivers: due messages are judged once more and handed over."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import numpy as np
import typer

from features.errors import BadInputError
from features.sources import read_tables
from serving.cli.deliver_bounces import read_bounces
from serving.cli.deliver_later import Watch
from serving.cli.deliver_lists import list_outbox, requeue, resolve
from serving.cli.output import Json, JsonOption, parse_moment, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.cli.zones import read_zone
from serving.delivery.checks import check_live_files
from serving.delivery.look import Deliverer, LookReport
from serving.delivery.queue import DRY_RUN, LIVE
from serving.delivery.recipients import RecipientBook
from serving.delivery.settings import load_delivery_settings
from serving.delivery.wiring import (
    DeliveryParts,
    LiveFiles,
    make_message_deliverer,
    make_notice_deliverer,
    read_live_files,
)
from serving.faults import EXIT_REFUSED
from serving.policy.cases import from_us, to_us
from serving.policy.settings import load_policy_settings
from serving.runtime import read_copy_settings
from serving.settings import Settings, read_settings
from serving.store.claims import OutboxState
from serving.store.notice_outbox import Telling
from serving.store.outbox import Queued
from serving.store.store import Store

_NOTICE_SECONDS = 0.25  # an owner is told within a second
_SHORTEST_SECONDS = 0.01


def deliver(
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds from one look at the outbox to the next.")
    ] = 15.0,
    once: Annotated[bool, typer.Option("--once", help="One look, then end.")] = False,
    data: Annotated[
        str | None,
        typer.Option("--data", help="Tables with `customers`, for those the store has no row of."),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", help="How to deliver; the shipped file if absent.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Where the dry run writes; `outbox` of the home if absent."),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Messages and notices leave the machine.")
    ] = False,
    live_notices: Annotated[
        bool, typer.Option("--live-notices", help="Notices leave it, messages become files.")
    ] = False,
    transports: Annotated[
        Path | None, typer.Option(help="How messages leave; OPPORTUNE_TRANSPORTS if absent.")
    ] = None,
    parties: Annotated[
        Path | None, typer.Option(help="Who is told what; OPPORTUNE_PARTIES if absent.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether all is there; sends nothing.")
    ] = False,
    listed: Annotated[
        OutboxState | None, typer.Option("--list", help="Only show what is in that state.")
    ] = None,
    requeued: Annotated[
        list[str] | None,
        typer.Option("--requeue", help="Only give what is dead new attempts; may be repeated."),
    ] = None,
    resolved: Annotated[
        tuple[str, str] | None,
        typer.Option("--resolve", help="Only say of what is uncertain: sent or not-sent."),
    ] = None,
    bounces: Annotated[
        Path | None, typer.Option(help="Only read mails in that folder that report bounces.")
    ] = None,
    by: Annotated[str | None, typer.Option("--by", help="Who says so; the log keeps it.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Moment of the looks, ISO 8601; now when not given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hand over messages that are due, and still allowed; as files, unless --live."""
    settings = read_settings()
    _require_one(
        {
            "--list": listed,
            "--requeue": requeued,
            "--resolve": resolved,
            "--bounces": bounces,
            "--check": check,
        }
    )
    if as_of is not None and (live or live_notices):
        raise BadInputError("--as-of: what leaves the machine leaves it now")
    moment = None if as_of is None else parse_moment(as_of)

    def read_clock() -> datetime:
        return moment or datetime.now(UTC)

    lane = LIVE if live or resolved is not None else DRY_RUN
    with closing(open_own_store(settings)) as store:
        if listed is not None:
            lane = LIVE if listed is OutboxState.UNCERTAIN else lane  # files are never uncertain
            list_outbox(store, listed, lane=lane, as_json=as_json)
        elif requeued:
            requeue(store, requeued, by=by, lane=lane, at=read_clock(), as_json=as_json)
        elif bounces is not None:
            read_bounces(store, bounces, at=read_clock(), as_json=as_json)
        elif resolved is not None:
            key, answer = resolved
            resolve(store, key, answer, by=by, lane=lane, at=read_clock(), as_json=as_json)
        else:
            parts = _make_parts(settings, settings_file, data=data, folder=folder)
            # The dry run needs no secrets: it reads only files that its own options name.
            leaves = live or live_notices or check
            files = read_live_files(
                parts,
                transports=transports or (settings.transports if leaves else None),
                parties=parties or (settings.parties if leaves else None),
            )
            with closing(files.stack):
                if check:
                    _check(parts, files, as_json=as_json)
                    return
                if live and data is None:
                    _require_customers(store)
                settings.home.mkdir(parents=True, exist_ok=True)  # STOP files are looked for in it
                pair = _make_pair(
                    store,
                    parts,
                    messages=files if live else None,
                    notices=files if live or live_notices else None,
                    zone=read_zone(settings.zone, given="OPPORTUNE_ZONE").key,
                )
                _run(pair, read_clock, every=None if once else every, as_json=as_json)


@dataclass(frozen=True)
class _Pair:
    """Both deliverers, and whether there is work for the second."""

    messages: Deliverer[Queued]
    notices: Deliverer[Telling]
    has_notices: Callable[[datetime], bool]
    elsewhere: Watch


def _require_one(given: Mapping[str, object]) -> None:
    names = [name for name, value in given.items() if value]
    if len(names) > 1:
        raise BadInputError(f"{' and '.join(names)}: expected one of them")


def _require_customers(store: Store) -> None:
    """Live, whoever is unknown is refused for good: nobody at all is a mistake."""
    with store.reading() as session:
        if session.online.current_generation() is None:
            raise BadInputError("--live: expected --data, as the store has no row of any customer")


def _make_parts(
    settings: Settings, file: Path | None, *, data: str | None, folder: Path | None
) -> DeliveryParts:
    return DeliveryParts(
        policy=load_policy_settings(settings.policy_file),
        delivery=load_delivery_settings(file),
        copy=read_copy_settings(settings),
        recipients=RecipientBook({})
        if data is None
        else RecipientBook.of_tables(read_tables(data)),
        home=settings.home,
        folder=folder or settings.home / "outbox",
        environment=os.environ,
    )


def _make_pair(
    store: Store,
    parts: DeliveryParts,
    *,
    messages: LiveFiles | None,
    notices: LiveFiles | None,
    zone: str,
) -> _Pair:
    rng = np.random.default_rng()
    first = make_message_deliverer(store, parts, live=messages, rng=rng)
    queue, telling = make_notice_deliverer(store, parts, live=notices, rng=rng)

    def has_notices(now: datetime) -> bool:
        at_us = to_us(now)
        closed = frozenset(telling.doors.list_closed(at_us=at_us))
        with store.reading() as session:
            return queue.has_work(session, at_us=at_us, closed=closed)

    days = parts.delivery.look_back_days
    return _Pair(first, telling, has_notices, Watch(store, first.queue.lane, days, zone))


# ---------------------------------------------------------------- looking


def _run(pair: _Pair, clock: Callable[[], datetime], *, every: float | None, as_json: bool) -> None:
    stop = _stop_on_signals()
    if every is None:
        told = pair.notices.look(clock, is_over=stop.is_set)
        report = pair.messages.look(clock, is_over=stop.is_set)
        _tell(pair, report, told, now=clock(), as_json=as_json)
        return
    next_at = full_at = time.monotonic()
    while not stop.is_set():
        if pair.has_notices(clock()):
            told = pair.notices.look(clock, is_over=stop.is_set)
            _tell(pair, None, told, now=clock(), as_json=as_json)
        if (now := time.monotonic()) >= next_at:
            is_full = now >= full_at
            report = pair.messages.look(clock, is_over=stop.is_set, takes_in=is_full)
            if report.states or (is_full and (as_json or report.stopped)):
                _tell(pair, report, None, now=clock(), as_json=as_json)
            elif is_full:
                pair.elsewhere.tell(clock())
            full_at = now + every if is_full else full_at
            next_at = min(full_at, time.monotonic() + _find_pause(report, clock(), every=every))
        stop.wait(min(_NOTICE_SECONDS, max(next_at - time.monotonic(), _SHORTEST_SECONDS)))


def _find_pause(report: LookReport, now: datetime, *, every: float) -> float:
    """Until the next look: sooner where a door opens before it."""
    if report.opens_at_us is None:
        return every
    until = (from_us(report.opens_at_us) - now).total_seconds()
    return min(max(until, 0.0), every)


def _tell(
    pair: _Pair,
    messages: LookReport | None,
    notices: LookReport | None,
    *,
    now: datetime,
    as_json: bool,
) -> None:
    told = ((pair.messages, messages, ""), (pair.notices, notices, "notices, "))
    if as_json:
        described: dict[str, Json] = {}
        if messages is not None:
            described |= _describe_look(pair.messages, messages)
            described["elsewhere"] = pair.elsewhere.find(now).describe()
        if notices is not None:
            described["notices"] = _describe_look(pair.notices, notices)
        show_json(described)
        return
    for deliverer, report, what in told:
        if report is not None and (report is messages or report.n_taken_in or report.states):
            _say_look(report, f"{what}{deliverer.queue.lane.replace('_', ' ')}")
    if messages is not None:
        pair.elsewhere.tell(now)


def _say_look(report: LookReport, what: str) -> None:
    states = ", ".join(f"{n:,} {state}" for state, n in sorted(report.states.items()))
    show(f"{what}: {report.n_taken_in:,} taken in; {states or 'nothing due'}")
    if report.reasons:
        show_table(("why", "how many"), [(w, f"{n:,}") for w, n in report.reasons.most_common()])
    if report.stopped is not None:
        show(f"nothing is handed over: {report.stopped}")


def _describe_look(
    deliverer: Deliverer[Queued] | Deliverer[Telling], report: LookReport
) -> dict[str, Json]:
    return {
        "lane": deliverer.queue.lane,
        "taken_in": report.n_taken_in,
        "states": {state.value: n for state, n in sorted(report.states.items())},
        "reasons": dict(report.reasons.most_common()),
        "stopped": report.stopped,
    }


def _check(parts: DeliveryParts, files: LiveFiles, *, as_json: bool) -> None:
    found = list(check_live_files(parts, files))
    if not found:
        raise BadInputError("--check: expected --transports or --parties")
    if as_json:
        show_json(
            {"checked": [{"place": c.place, "what": c.what, "fault": c.fault} for c in found]}
        )
    else:
        show_table(
            ("place", "what", "fault"), [(c.place, c.what, c.fault or "none") for c in found]
        )
    if any(one.fault is not None for one in found):
        raise typer.Exit(EXIT_REFUSED)


def _stop_on_signals() -> threading.Event:
    """An event that an interrupt or a polite kill sets: the message in hand is the last one."""
    stop = threading.Event()

    def _note(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _note)
    return stop
