"""How long rewards take: from a message until its outcome is known, and how many are pending."""

from datetime import datetime

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from features.contracts import CONTRACTS
from features.tables import Tables, find_known
from features.vocabulary import Outcome
from training.datasets.channel import OUTCOME_DAYS
from training.datasets.provenance import to_moments
from training.measures import Floats
from training.monitoring.periods import BLOCK, N_REFERENCE_BLOCKS, find_blocks
from training.monitoring.status import Finding, grade

WATCHED = (Outcome.OPENED, Outcome.CLICKED, Outcome.CONVERTED)
FEWEST = 50
WATCH_RATIO, ALARM_RATIO = 1.1, 1.25
_SIGMAS = 2.58  # 99 %
_SHORTEST_HOURS = 0.1  # below it a delay is as good as none
_WINDOW = pd.Timedelta(days=OUTCOME_DAYS)


class DelayProfile(BaseModel):
    """How long an outcome took while the model was made.

    Attributes:
        outcome: The outcome.
        n: How many there were.
        median_hours: Half of them took longer.
        mean_log: Mean of log(hours + 0.1).
        sd_log: Standard deviation of it.
        usual_log: Largest distance of the mean of one block of time from that of all, beyond what
            chance makes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: str
    n: int
    median_hours: float
    mean_log: float
    sd_log: float
    usual_log: float


def read_delays(tables: Tables, *, since: datetime, until: datetime) -> pd.DataFrame:
    """Hours from sending until the first outcome of each kind was known, of a person's making.

    Only messages whose window of 7 days has passed by `until` count, and of them only outcomes
    within the window: otherwise the last messages would look quick, for their slow outcomes are
    still to come.

    Returns:
        outcome, hours, sent_at.
    """
    empty = pd.DataFrame({"outcome": [], "hours": [], "sent_at": pd.to_datetime([], utc=True)})
    if any(name not in tables or tables[name].empty for name in ("messages", "outcomes")):
        return empty
    messages, outcomes = tables["messages"], tables["outcomes"]
    sent = messages.loc[
        (messages["sent_at"] >= since) & (messages["sent_at"] + _WINDOW <= until),
        ["message_id", "sent_at"],
    ].drop_duplicates("message_id")
    told = outcomes.assign(known=find_known(outcomes, CONTRACTS["outcomes"]))
    told = told.loc[~told["machine"] & (told["known"] < until)].merge(sent, on="message_id")
    told = told[told["known"] < told["sent_at"] + _WINDOW]
    first = told.groupby(["message_id", "outcome"], as_index=False)[["known", "sent_at"]].min()
    hours = (first["known"] - first["sent_at"]).dt.total_seconds() / 3600.0
    return first.assign(hours=hours)[["outcome", "hours", "sent_at"]]


def profile_delays(tables: Tables, *, until: datetime) -> tuple[DelayProfile, ...]:
    """The delays of the sixteen weeks before the moment, by outcome; rare outcomes are left out."""
    delays = read_delays(tables, since=until - N_REFERENCE_BLOCKS * BLOCK, until=until)
    profiles = []
    for outcome in WATCHED:
        rows = delays[delays["outcome"] == outcome]
        if len(rows) < FEWEST:
            continue
        hours = rows["hours"].to_numpy(np.float64)
        logs, blocks = _to_logs(hours), find_blocks(to_moments(rows["sent_at"]), until=until)
        counts = np.bincount(blocks)
        is_full = counts >= FEWEST
        apart = np.abs(np.bincount(blocks, logs)[is_full] / counts[is_full] - logs.mean())
        noise = _SIGMAS * logs.std() / np.sqrt(counts[is_full])
        profiles.append(
            DelayProfile(
                outcome=outcome.value,
                n=len(rows),
                median_hours=float(np.median(hours)),
                mean_log=float(logs.mean()),
                sd_log=float(logs.std()),
                usual_log=float((apart - noise).max(initial=0.0)),
            )
        )
    return tuple(profiles)


def find_slowness(profile: DelayProfile, delays: pd.DataFrame) -> Finding | None:
    """Whether an outcome comes in at another pace; None with fewer than 50 of it.

    Measured is the ratio of the geometric means, the larger over the smaller, at that end of its
    99 % interval which is nearer to 1; 1 where the interval holds 1. Delays have long tails, and
    so their logarithms are compared.

    Args:
        profile: As it was.
        delays: As `read_delays` gives them.
    """
    hours = delays.loc[delays["outcome"] == profile.outcome, "hours"].to_numpy(np.float64)
    if len(hours) < FEWEST:
        return None
    shift = float(_to_logs(hours).mean()) - profile.mean_log
    margin = _SIGMAS * profile.sd_log * float(np.sqrt(1 / len(hours) + 1 / profile.n))
    sure = float(np.exp(max(0.0, abs(shift) - margin)))
    watch_from = max(WATCH_RATIO, float(np.exp(1.5 * profile.usual_log)))
    alarm_from = max(ALARM_RATIO, float(np.exp(2.0 * profile.usual_log)))
    pace = "slower" if shift > 0 else "quicker"
    return Finding(
        subject=profile.outcome,
        status=grade(sure, watch_from=watch_from, alarm_from=alarm_from),
        value=sure,
        watch_from=watch_from,
        alarm_from=alarm_from,
        words=f"{profile.outcome} {np.median(hours):.1f} h after sending in the median, "
        f"{profile.median_hours:.1f} h in training: {np.exp(abs(shift)):.2f} times {pace} on "
        f"average, surely {sure:.2f} times",
        unit="times",
    )


def share_pending(tables: Tables, *, as_of: datetime) -> float | None:
    """Of the messages of 28 days, those whose window is open and of which nothing was heard.

    None where no message was sent.
    """
    if "messages" not in tables:
        return None
    messages = tables["messages"]
    known = messages[messages["sent_at"] < as_of]
    recent = known[known["sent_at"] >= as_of - 2 * BLOCK]
    if recent.empty:
        return None
    is_open = recent["sent_at"] + _WINDOW > as_of
    heard = pd.Series(False, index=recent.index)
    if "outcomes" in tables:
        outcomes = tables["outcomes"]
        told = outcomes[find_known(outcomes, CONTRACTS["outcomes"]) < as_of]
        heard = recent["message_id"].isin(told["message_id"])
    return float((is_open & ~heard).mean())


def _to_logs(hours: Floats) -> Floats:
    logs: Floats = np.log(np.maximum(hours, 0.0) + _SHORTEST_HOURS)
    return logs
