"""Commands about messages of customers: learn from them, label them, forget them."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from features.errors import BadInputError
from features.sources import Location, locate, read_tables
from serving.audit.entries import EntryKind
from serving.autopilot.detection.bursts import tell_how_often
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.inbound.files import read_messages
from serving.autopilot.inbound.known import assume_known, read_known
from serving.autopilot.inbound.neighbours import LabelledText
from serving.autopilot.inbound.taxonomy import OTHER, Taxonomy, find_taxonomy
from serving.autopilot.inbound.triage import OfflineTriage
from serving.autopilot.watch.finding import find_taxonomy_in_force
from serving.autopilot.watch.history import ReadHistory, read_history, recall_history
from serving.autopilot.watch.known import Directory
from serving.autopilot.watch.prepared import PreparedDetector, prepare_detector, write_prepared
from serving.cli.output import Json, JsonOption, progress, say, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.cli.people import ByOption
from serving.cli.seeds import SeedOption
from serving.cli.zones import read_zone
from serving.corridor.log import name_of
from serving.lines import put_on_one_line
from serving.masking import mask_personal_data
from serving.moments import show_moment
from serving.settings import Settings, read_settings
from serving.store.inbound import ArrivedMessage, Label
from serving.store.store import StoreSession

_SHOWN_CHARACTERS = 100

DataOption = Annotated[
    Location | None,
    typer.Option(
        "--data", parser=locate, metavar="PLACE", help="Tables that say who is a customer."
    ),
]


group = typer.Typer()


@group.command("prepare")
def prepare(
    messages: Annotated[
        Path | None,
        typer.Option(
            help="History: CSV or parquet with the columns of the table `inbound`; else what "
            "`opportune act` has read."
        ),
    ] = None,
    alarms: Annotated[
        float, typer.Option(min=0.001, help="False alarms a week that the chain may have.")
    ] = 1.0,
    taxonomy: Annotated[
        str | None, typer.Option(help="`salon`, `delivery`, or a YAML file of topics.")
    ] = None,
    data: DataOption = None,
    zone: Annotated[
        str | None, typer.Option(help="IANA name of the chain's time zone; OPPORTUNE_ZONE.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The detector's file; where `opportune act` looks, else."),
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Learn from history what is usual, and show how often it would have alarmed.

    `opportune act` takes the file up when it is started again; what goes on is taken over.
    """
    settings = read_settings()
    clock = zone or settings.zone
    read_zone(clock, given="--zone" if zone else "OPPORTUNE_ZONE")
    topics = find_taxonomy(taxonomy) if taxonomy else find_taxonomy_in_force(settings)
    path = out or settings.detector_file
    with progress("reading"):
        history = _read(settings, messages, topics, data)
    if not history.branches:
        raise BadInputError(
            f"{messages or 'the store'}: no message of a customer names a branch, expected one"
        )
    with progress("learning what is usual"):
        prepared = prepare_detector(
            history.seen,
            branches=history.branches,
            since=history.since,
            until=history.until,
            zone=clock,
            taxonomy=topics,
            settings=DetectionSettings(false_alarms_per_week=alarms),
            made_at=datetime.now(UTC),
            n_messages=history.n_messages,
            rng=np.random.default_rng(seed),
        )
    write_prepared(prepared, path)
    if as_json:
        show_json({"file": str(path), **_describe(prepared)})
        return
    if messages is not None and data is None:
        say("without --data everybody with a customer_id is taken for a customer")
    for line in _write(prepared):
        show(line)
    show(f"{path}: detector {prepared.version}; {_say_use(path, settings)}")


def _say_use(path: Path, settings: Settings) -> str:
    if path.resolve() == settings.detector_file.resolve():
        return "`opportune act` watches by it from its next start"
    return f"`opportune act` watches by it where OPPORTUNE_DETECTOR={path} says so"


@group.command("label")
def label(
    inbound_id: Annotated[str, typer.Argument(help="Identity of the message.")],
    topic: Annotated[str, typer.Argument(help="What it is about, by the taxonomy.")],
    by: ByOption,
) -> None:
    """Say what a message is about; messages like it are sorted by that from now on."""
    settings = read_settings()
    topics = find_taxonomy_in_force(settings)
    if topic not in topics.names:
        raise BadInputError(f"topic {topic!r}: expected one of {', '.join(topics.names)}")
    now = datetime.now(UTC)
    with closing(open_own_store(settings)) as store, store.transaction() as session:
        arrived = session.inbound.find(inbound_id)
        if arrived is None:
            raise BadInputError(f"message {inbound_id!r}: there is none of that name")
        if arrived.is_forgotten:
            raise BadInputError(f"message {inbound_id!r}: its text is forgotten")
        text = _mask(session, arrived)
        session.inbound.label(Label(inbound_id, topic, text, name_of(by), now))
        reading = session.inbound.find_readings([inbound_id]).get(inbound_id)
        before = None if reading is None else reading.triaged.topic
        session.audit.append(
            EntryKind.HUMAN,
            f"inbound/{inbound_id}",
            {"topic": topic, "was": before},
            by=name_of(by),
            at=now,
            words=f"{name_of(by)} says that message {inbound_id} is about {topic}",
        )
    was = "it was not read yet" if before is None else f"it was sorted under {before}"
    show(f"{inbound_id}: {topic}; {was}")


@group.command("messages")
def list_messages(
    topic: Annotated[
        str, typer.Option(help="What they were sorted under, by the taxonomy.")
    ] = OTHER,
    most: Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Messages that were sorted under a topic, the newest first, without personal data."""
    settings = read_settings()
    zone = read_zone(settings.zone, given="OPPORTUNE_ZONE")
    with closing(open_own_store(settings)) as store, store.reading() as session:
        past = session.inbound.read_latest(topic=topic, limit=most)
        texts = {
            one.message.inbound_id: "" if one.is_forgotten else _mask(session, one)
            for one in session.inbound.find_many(one.inbound_id for one in past)
        }
    if as_json:
        rows: list[Json] = [
            {
                "inbound_id": one.inbound_id,
                "at": one.at.isoformat(),
                "branch": one.branch,
                "by": one.reading.triaged.by.value,
                "is_complaint": one.reading.triaged.is_complaint,
                "text": texts[one.inbound_id] or None,
            }
            for one in past
        ]
        show_json({"messages": rows})
        return
    show_table(
        ("message", f"at ({zone.key})", "branch", "sorted by", "text"),
        [
            (
                one.inbound_id,
                f"{one.at.astimezone(zone):%Y-%m-%d %H:%M}",
                one.branch or "",
                one.reading.triaged.by.value,
                put_on_one_line(texts[one.inbound_id])[:_SHOWN_CHARACTERS] or "(forgotten)",
            )
            for one in past
        ],
    )


@group.command("forget")
def forget(
    days: Annotated[
        int, typer.Option(min=0, max=36_500, help="Texts that came longer ago are removed.")
    ],
    by: ByOption,
    as_json: JsonOption = False,
) -> None:
    """Remove the texts of old messages; what they were about and when stays."""
    now = datetime.now(UTC)
    before = now - timedelta(days=days)
    settings = read_settings()
    zone = read_zone(settings.zone, given="OPPORTUNE_ZONE")
    last = show_moment(before, zone=zone.key)
    with closing(open_own_store(settings)) as store, store.transaction() as session:
        n_forgotten = session.inbound.forget(before=before)
        session.audit.append(
            EntryKind.HUMAN,
            "inbound",
            {"n_forgotten": n_forgotten, "days": days},
            by=name_of(by),
            at=now,
            words=f"{name_of(by)} has the texts of {n_forgotten} messages before {last} removed",
        )
    if as_json:
        show_json({"n_forgotten": n_forgotten, "before": before.isoformat()})
    else:
        show(f"the texts of {n_forgotten:,} messages are gone")


def _read(
    settings: Settings, path: Path | None, topics: Taxonomy, data: Location | None
) -> ReadHistory:
    """The history of a file, or of the store."""
    if path is None:
        with closing(open_own_store(settings)) as store, store.reading() as session:
            return recall_history(session, topics=topics.names)
    given = read_messages(path)
    if not given:
        raise BadInputError(f"{path}: holds no message, expected at least one")
    known = assume_known(given) if data is None else read_known(read_tables(data))
    triage = OfflineTriage(topics, labelled=_read_labels(settings))
    return read_history(given, triage=triage, customers=known.customers)


def _read_labels(settings: Settings) -> list[LabelledText]:
    """What people have said of messages, where this home has a store."""
    place = settings.store_place
    if isinstance(place, Path) and not place.exists():
        return []
    with closing(open_own_store(settings)) as store, store.reading() as session:
        return [one.example for one in session.inbound.find_labels()]


def _mask(session: StoreSession, arrived: ArrivedMessage) -> str:
    """A text without personal data of a known form and without the writer's first name."""
    who = arrived.message.customer_id
    directory = Directory()
    if who is not None:
        directory.look_up(session, [who])
    return mask_personal_data(arrived.message.text, names=directory.first_names.values())


def _write(prepared: PreparedDetector) -> list[str]:
    """What was learned and what is promised, for people."""
    baseline, calibration = prepared.baseline, prepared.calibration
    lines = [
        f"{prepared.n_messages:,} messages, {len(baseline.streams)} streams watched",
        f"budget: a false alarm {tell_how_often(calibration.promised)} in the whole chain",
    ]
    if baseline.is_assumed:
        return [
            *lines,
            "what is usual is assumed, for want of two weeks of history with fifty complaints",
        ]
    lines.append(
        f"learned from {baseline.n_complaints:,} complaints of {baseline.n_weeks:.1f} weeks; if"
        " rates are as steady or unsteady as these allow, a false alarm"
        f" {tell_how_often(calibration.promised_low)} to"
        f" {tell_how_often(calibration.promised_high)}"
    )
    if (shown := prepared.shown) is not None:
        seldom = "never" if shown.low == 0 else tell_how_often(shown.low)
        lines.append(
            f"on {shown.n_weeks:.1f} weeks of it, real incidents among them, it would have alarmed"
            f" {shown.n_alarms} times: between {seldom} and {tell_how_often(shown.high)}"
        )
    return lines


def _describe(prepared: PreparedDetector) -> dict[str, Json]:
    calibration, shown = prepared.calibration, prepared.shown
    return {
        "version": prepared.version,
        "n_messages": prepared.n_messages,
        "n_streams": len(prepared.baseline.streams),
        "is_assumed": prepared.baseline.is_assumed,
        "false_alarms_per_week": {
            "promised": calibration.promised,
            "low": calibration.promised_low,
            "high": calibration.promised_high,
        },
        "shown": None if shown is None else shown.model_dump(),
    }
