"""The command that delivers: due messages are judged once more and handed over."""

import signal
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated

import numpy as np
import typer

from features.errors import BadInputError
from features.sources import read_tables
from serving.cli.output import Json, JsonOption, parse_moment, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.delivery.files import FolderTransport
from serving.delivery.judge import SendingGuards
from serving.delivery.look import DRY_RUN, Deliverer, LookReport
from serving.delivery.recipients import RecipientBook
from serving.delivery.settings import load_delivery_settings
from serving.faults import EXIT_REFUSED
from serving.policy.cases import from_us, to_us
from serving.policy.settings import load_policy_settings
from serving.runtime import read_copy_settings
from serving.settings import Settings, read_settings
from serving.store.outbox import OutboxState, Queued
from serving.store.store import Store

_MOST_LISTED = 100


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
        typer.Option(
            "--folder", help="Where messages are written; `outbox` of the home if absent."
        ),
    ] = None,
    listed: Annotated[
        OutboxState | None, typer.Option("--list", help="Only show messages in that state.")
    ] = None,
    requeue: Annotated[
        list[str] | None,
        typer.Option("--requeue", help="Only give dead messages new attempts; may be repeated."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Moment of the looks, ISO 8601; now when not given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write messages that are due, and still allowed, to files: a dry run of the delivery."""
    settings = read_settings()
    moment = None if as_of is None else parse_moment(as_of)

    def read_clock() -> datetime:
        return moment or datetime.now(UTC)

    if listed is not None and requeue:
        raise BadInputError("--list and --requeue: expected one of them")
    with closing(open_own_store(settings)) as store:
        if listed is not None:
            _list(store, listed, as_json=as_json)
        elif requeue:
            _requeue(store, requeue, at=read_clock(), as_json=as_json)
        else:
            settings.home.mkdir(parents=True, exist_ok=True)  # STOP files are looked for in it
            deliverer = Deliverer(
                store,
                FolderTransport(
                    folder or settings.home / "outbox",
                    sender=load_delivery_settings(settings_file).sender,
                    copy=read_copy_settings(settings),
                ),
                _make_guards(settings, settings_file, data=data),
                np.random.default_rng(),
                settings.home,
            )
            _run(deliverer, read_clock, every=None if once else every, as_json=as_json)


def _make_guards(settings: Settings, file: Path | None, *, data: str | None) -> SendingGuards:
    return SendingGuards(
        load_policy_settings(settings.policy_file),
        load_delivery_settings(file),
        RecipientBook({}) if data is None else RecipientBook.of_tables(read_tables(data)),
        DRY_RUN,
    )


def _run(
    deliverer: Deliverer, clock: Callable[[], datetime], *, every: float | None, as_json: bool
) -> None:
    stop = _stop_on_signals()
    while not stop.is_set():
        report = deliverer.look(clock, is_over=stop.is_set)
        if as_json:
            show_json(_describe_look(report))
        elif every is None or report.states or report.stopped:
            _say_look(report)
        if every is None:
            return
        stop.wait(every)


def _say_look(report: LookReport) -> None:
    states = ", ".join(f"{n:,} {state}" for state, n in sorted(report.states.items()))
    show(f"dry run: {report.n_taken_in:,} taken in; {states or 'nothing due'}")
    if report.reasons:
        show_table(("why", "messages"), [(w, f"{n:,}") for w, n in report.reasons.most_common()])
    if report.stopped is not None:
        show(f"nothing is handed over: {report.stopped}")


def _describe_look(report: LookReport) -> dict[str, Json]:
    return {
        "lane": DRY_RUN,
        "taken_in": report.n_taken_in,
        "states": {state.value: n for state, n in sorted(report.states.items())},
        "reasons": dict(report.reasons.most_common()),
        "stopped": report.stopped,
    }


def _list(store: Store, state: OutboxState, *, as_json: bool) -> None:
    with store.reading() as session:
        found = session.outbox.find(state, lane=DRY_RUN, most=_MOST_LISTED)
        n = session.outbox.count(lane=DRY_RUN).get(state, 0)
    if as_json:
        show_json({"state": state.value, "n": n, "messages": [_describe(one) for one in found]})
        return
    rows = [
        (one.message_id, one.channel, one.trigger, str(one.n_attempts), one.reason or "")
        for one in found
    ]
    title = f"{n:,} {state}" + (f", the first {len(found)}" if n > len(found) else "")
    show_table(("message", "channel", "trigger", "attempts", "why"), rows, title=title)


def _requeue(store: Store, message_ids: list[str], *, at: datetime, as_json: bool) -> None:
    with store.transaction() as session:
        done = session.outbox.requeue(message_ids, lane=DRY_RUN, at_us=to_us(at))
    if as_json:
        show_json({"requeued": dict(zip(message_ids, done, strict=True))})
    else:
        for message_id, is_done in zip(message_ids, done, strict=True):
            show(f"{message_id}: {'requeued' if is_done else 'is not dead'}")
    if not all(done):
        raise typer.Exit(EXIT_REFUSED)


def _describe(one: Queued) -> dict[str, Json]:
    return {
        "message_id": one.message_id,
        "decision_id": one.decision_id,
        "customer_id": one.customer_id,
        "channel": one.channel.value,
        "trigger": one.trigger.value,
        "planned_at": from_us(one.planned_at_us).isoformat(),
        "due_at": from_us(one.due_at_us).isoformat(),
        "attempts": one.n_attempts,
        "reason": one.reason,
    }


def _stop_on_signals() -> threading.Event:
    """An event that an interrupt or a polite kill sets: the message in hand is the last one."""
    stop = threading.Event()

    def _note(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _note)
    return stop
