"""The command that tells what would have been seen in a file of messages."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import numpy as np
import typer

from features.errors import BadInputError
from features.sources import Location, locate, read_tables
from serving.autopilot.detection.bursts import Burst, tell_how_often
from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.inbound.files import read_messages
from serving.autopilot.inbound.known import assume_known, read_known
from serving.autopilot.inbound.taxonomy import Taxonomy, find_taxonomy
from serving.autopilot.inbound.triage import OfflineTriage
from serving.autopilot.story import Incident, Story, tell_story
from serving.cli.output import Json, JsonOption, progress, say, show, show_json
from serving.cli.seeds import SeedOption
from serving.cli.zones import read_zone
from serving.lines import put_on_one_line
from serving.masking import mask_personal_data
from serving.moments import show_moment
from serving.policy.cases import from_us
from serving.settings import read_settings

group = typer.Typer()

_MOST_QUOTED: Final = 3


@group.command("replay")
def replay_messages(
    messages: Annotated[
        Path, typer.Option(help="CSV or parquet file with the columns of the table `inbound`.")
    ],
    taxonomy: Annotated[
        str, typer.Option(help="`salon`, `delivery`, or a YAML file of topics.")
    ] = "salon",
    data: Annotated[
        Location | None,
        typer.Option(
            "--data",
            parser=locate,
            metavar="PLACE",
            help="Tables that say who is a customer, where, and what is wrong already.",
        ),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="IANA name of the chain's time zone; OPPORTUNE_ZONE.")
    ] = None,
    alarms: Annotated[
        float, typer.Option(min=0.001, help="False alarms a week that the chain may have.")
    ] = 1.0,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Tell what would have been seen in a file of messages: when, how surely, whom it touches."""
    topics = find_taxonomy(taxonomy)
    given = read_messages(messages)
    if not given:
        raise BadInputError(f"{messages}: holds no message, expected at least one")
    if all(one.branch is None for one in given):
        raise BadInputError(f"{messages}: no message names a branch, expected one")
    chain_zone = zone or read_settings().zone
    read_zone(chain_zone, given="--zone" if zone else "OPPORTUNE_ZONE")
    known = assume_known(given) if data is None else read_known(read_tables(data))
    with progress("replaying"):
        story = tell_story(
            given,
            taxonomy=topics,
            triage=OfflineTriage(topics),
            known=known,
            zone=chain_zone,
            settings=DetectionSettings(false_alarms_per_week=alarms),
            rng=np.random.default_rng(seed),
        )
    if as_json:
        show_json(_describe_story(story))
        return
    if data is None:
        say("without --data everybody with a customer_id is taken for a customer")
    for line in _write_story(story, topics, zone=chain_zone):
        show(line)


def _write_story(story: Story, topics: Taxonomy, *, zone: str) -> list[str]:
    """The story for people, on the clock of the chain."""
    found = f"{story.n_messages:,} messages, {len(story.baseline.streams)} streams watched"
    lines = [found, _write_promise(story)]
    if story.n_unplaced:
        lines.append(f"{story.n_unplaced} complaints name no branch and are not watched")
    if not story.incidents:
        lines.append("No burst of complaints.")
    for incident in story.incidents:
        lines += ["", *_write_incident(incident, topics, zone=zone)]
    return lines


def _write_promise(story: Story) -> str:
    calibration = story.calibration
    promise = f"budget: {calibration.promised:g} false alarms a week in the whole chain"
    if story.baseline.is_assumed:
        return (
            f"{promise}; what is usual is assumed, for want of three weeks of history with fifty"
            " complaints"
        )
    promise += (
        f" ({calibration.promised_low:.2g} to {calibration.promised_high:.2g} if rates are as"
        " steady or unsteady as history allows)"
    )
    if story.preview is not None:
        shown = story.preview
        promise += (
            f"; on {shown.n_weeks:.1f} weeks of history it would have alarmed"
            f" {len(shown.bursts)} times, {shown.per_week:.2g} a week"
            f" [{shown.low:.2g}, {shown.high:.2g}]"
        )
    return promise


def _write_incident(incident: Incident, topics: Taxonomy, *, zone: str) -> list[str]:
    burst = incident.burst
    detected, first = from_us(burst.detected_at_us), from_us(burst.first_at_us)
    n, often = len(burst.customer_ids), tell_how_often(burst.chance_per_week)
    lines = [
        (
            f"{show_moment(detected, zone=zone)}  {burst.stream.branch}: complaints about"
            f" {topics.title_of(burst.stream.topic)}, severity {incident.severity}"
        ),
        (
            f"  since {first.astimezone(ZoneInfo(zone)):%H:%M}: {n} customers within"
            f" {_span(detected - first)}, {burst.n_usual:.2g} were to be expected"
            f" ({burst.per_day:.2g} a day are usual)"
        ),
        (f"  how sure: chance brings as much {often} in the whole chain ({_write_score(burst)})"),
        f"  who: {', '.join(burst.customer_ids)}; languages {_write_counts(incident)}",
    ]
    lines += [
        f'    "{put_on_one_line(mask_personal_data(read.message.text))}"'
        for read in incident.reads[:_MOST_QUOTED]
    ]
    lines += [
        f"  may be behind it: {one.trigger} {one.subject}, which touches {one.n_touched} of"
        f" {one.n_customers}"
        for one in incident.explanations
    ]
    if incident.grew:
        lines.append(f"  grew to {incident.grew[-1].n_customers} customers")
    if incident.n_strangers:
        lines.append(f"  {incident.n_strangers} more by people who are no known customers")
    return [*lines, _write_end(incident, zone=zone)]


def _write_end(incident: Incident, *, zone: str) -> str:
    if incident.ended is None:
        return "  goes on at the end of the file"
    ended = show_moment(from_us(incident.ended.ended_at_us), zone=zone)
    return (
        f"  over at {ended}, {incident.ended.reason}; {incident.ended.n_customers} customers in all"
    )


def _write_score(burst: Burst) -> str:
    """What was reached and what had to be; a threshold of 0 means that three customers will do."""
    if burst.threshold == 0:
        return f"score {burst.score:.1f}; so quiet a stream that the fewest customers do"
    return f"score {burst.score:.1f}, needed {burst.threshold:.1f}"


def _write_counts(incident: Incident) -> str:
    return ", ".join(f"{language} {n}" for language, n in incident.languages.items())


def _span(passed: timedelta) -> str:
    return f"{passed.total_seconds() / 60:.0f} minutes"


def _moment(at_us: int) -> str:
    moment: datetime = from_us(at_us)
    return moment.isoformat()


def _describe_story(story: Story) -> dict[str, Json]:
    preview: Json = None
    if story.preview is not None:
        preview = {
            "n_alarms": len(story.preview.bursts),
            "n_weeks": story.preview.n_weeks,
            "per_week": story.preview.per_week,
            "low": story.preview.low,
            "high": story.preview.high,
        }
    return {
        "n_messages": story.n_messages,
        "n_complaints": story.n_complaints,
        "n_unplaced": story.n_unplaced,
        "taken": {taken.value: n for taken, n in story.taken.items()},
        "topics": dict(story.topics),
        "false_alarms_per_week": {
            "promised": story.calibration.promised,
            "low": story.calibration.promised_low,
            "high": story.calibration.promised_high,
            "is_assumed": story.baseline.is_assumed,
        },
        "preview": preview,
        "incidents": [_describe_incident(incident) for incident in story.incidents],
    }


def _describe_incident(incident: Incident) -> dict[str, Json]:
    burst, ended = incident.burst, incident.ended
    return {
        "incident": burst.burst_id,
        "branch": burst.stream.branch,
        "topic": burst.stream.topic,
        "severity": incident.severity.value,
        "first_at": _moment(burst.first_at_us),
        "detected_at": _moment(burst.detected_at_us),
        "minutes_to_detect": (burst.detected_at_us - burst.first_at_us) / 60_000_000,
        "customers": list(burst.customer_ids),
        "messages": list(burst.message_ids),
        "languages": dict(incident.languages),
        "n_usual": burst.n_usual,
        "per_day_usual": burst.per_day,
        "score": burst.score,
        "threshold": burst.threshold,
        "chance_per_week": burst.chance_per_week,
        "n_customers": _burst_size(incident),
        "n_strangers": incident.n_strangers,
        "explanations": [
            {"trigger": one.trigger.value, "subject": one.subject, "n_touched": one.n_touched}
            for one in incident.explanations
        ],
        "ended_at": None if ended is None else _moment(ended.ended_at_us),
        "end_reason": None if ended is None else ended.reason.value,
    }


def _burst_size(incident: Incident) -> int:
    """Customers who complained in all, as far as the file goes."""
    if incident.grew:
        return incident.grew[-1].n_customers
    return len(incident.burst.customer_ids)
