"""The checks that need no labels: inputs, scores, missing data, tables, delays."""

from datetime import datetime

import numpy as np

from features.tables import Tables
from training.datasets.channel import OUTCOME_DAYS
from training.datasets.provenance import NotEnoughData
from training.monitoring.delay import FEWEST, find_slowness, read_delays, share_pending
from training.monitoring.drift import FEWEST_ROWS, find_drifts
from training.monitoring.missing import find_nulls, find_silence, find_thinning
from training.monitoring.periods import BLOCK, BLOCK_DAYS
from training.monitoring.profile import Profile
from training.monitoring.status import Check, Finding, Status, cannot_tell, conclude, grade
from training.monitoring.views.view import Asked

INPUTS, SCORES, MISSING = "inputs", "scores", "missing features"
TABLES, DELAY = "tables", "reward delay"
_PSI = "population stability index against the training; usual is what blocks of it differed by"
_PENDING_WATCH, _PENDING_ALARM = 1.5, 3.0


def check_inputs(profile: Profile, asked: Asked | NotEnoughData, *, stretched: float) -> Check:
    """Whether the features are distributed as they were."""
    if isinstance(asked, NotEnoughData):
        return cannot_tell(INPUTS, asked.reason)
    findings = find_drifts(profile.inputs, asked.X, stretched=stretched)
    if not findings:
        return cannot_tell(INPUTS, f"no feature has {FEWEST_ROWS} values, then and now")
    return conclude(
        INPUTS,
        findings,
        measure=_PSI,
        fine="the model is asked about customers like those it was made from",
        not_fine="the model is asked about other customers than it was made from: look at what "
        "happened to these features, and train again if it is here to stay",
    )


def check_scores(profile: Profile, asked: Asked | NotEnoughData, *, stretched: float) -> Check:
    """Whether the model answers as it did."""
    if isinstance(asked, NotEnoughData):
        return cannot_tell(SCORES, asked.reason)
    known = [column for column in profile.scores if column.name in asked.scores]
    scores = [asked.scores[column.name] for column in known]
    findings = find_drifts(known, np.column_stack(scores), stretched=stretched) if known else []
    if not findings:
        return cannot_tell(
            SCORES, f"fewer than {FEWEST_ROWS} probabilities of an event, then or now"
        )
    return conclude(
        SCORES,
        findings,
        measure=_PSI,
        fine="scores are spread as they were",
        not_fine="scores are spread otherwise than in training: thresholds and capacities that "
        "were planned on them no longer fit",
    )


def check_missing(profile: Profile, asked: Asked | NotEnoughData, *, stretched: float) -> Check:
    """Whether features are unknown more often than they were."""
    if isinstance(asked, NotEnoughData):
        return cannot_tell(MISSING, asked.reason)
    findings = [
        find_nulls(column, asked.X[:, position], stretched=stretched)
        for position, column in enumerate(profile.inputs)
    ]
    return conclude(
        MISSING,
        findings,
        measure="share of nulls above that of the training",
        fine="features are as well known as they were",
        not_fine="features are unknown that used to be known: a table or a column does not come",
    )


def check_tables(profile: Profile, tables: Tables, *, as_of: datetime) -> Check:
    """Whether the tables that the model lives on still grow."""
    if not profile.tables:
        return cannot_tell(TABLES, "it is not known how the tables used to grow")
    findings = []
    for table in profile.tables:
        silence = find_silence(table, tables, as_of=as_of)
        findings.append(silence)
        thinning = find_thinning(table, tables, as_of=as_of)
        if thinning is not None and silence.status is not Status.ALARM:
            findings.append(thinning)
    return conclude(
        TABLES,
        findings,
        measure="days since the last row; for rows the share that is missing",
        fine="every table keeps coming",
        not_fine="a table fell silent or thin: the model takes what is not told for what did not "
        "happen",
    )


def check_delay(profile: Profile, tables: Tables, *, as_of: datetime) -> Check:
    """Whether outcomes take as long to be known as they did; for models made from messages."""
    name = DELAY
    if not profile.delays:
        return cannot_tell(
            name, f"fewer than {FEWEST} outcomes of each kind were known when the model was made"
        )
    since = as_of - 2 * BLOCK
    delays = read_delays(tables, since=since, until=as_of)
    found = (find_slowness(profiled, delays) for profiled in profile.delays)
    findings = [finding for finding in found if finding is not None]
    pending = share_pending(tables, as_of=as_of)
    if pending is not None and profile.pending:
        findings.append(_compare_pending(pending, before=profile.pending))
    if not findings:
        return cannot_tell(
            name,
            f"fewer than {FEWEST} outcomes of messages of the last {2 * BLOCK_DAYS} days "
            f"that are older than {OUTCOME_DAYS}",
        )
    return conclude(
        name,
        findings,
        measure="how many times slower or quicker than in training",
        fine="outcomes come in as quickly as they did",
        not_fine="outcomes come in at another pace: what is learned from the first days of a "
        "message is not comparable with before",
    )


def _compare_pending(pending: float, *, before: float) -> Finding:
    ratio = pending / before
    return Finding(
        subject="pending",
        status=grade(ratio, watch_from=_PENDING_WATCH, alarm_from=_PENDING_ALARM),
        value=ratio,
        watch_from=_PENDING_WATCH,
        alarm_from=_PENDING_ALARM,
        words=f"of the messages of {2 * BLOCK_DAYS} days {pending:.0%} are pending; "
        f"{before:.0%} in training",
        unit="times",
    )
