"""Frames from outside, checked and turned into what the world works with."""

import numpy as np
import pandas as pd

from features.contracts import CONTRACTS
from features.errors import BadInputError
from training.world.clock import Ints, Micros, to_moment
from training.world.codes import ARMS, CHANNELS, TRIGGERS
from training.world.life.realm import Realm
from training.world.mail.outbox import Imprint, Mail, write_mail
from training.world.mail.response import Approach, wordings_of

CANDIDATE_COLUMNS = ("customer_id", "trigger", "channel", "send_at", "variant")
MESSAGE_COLUMNS = tuple(
    column.name
    for column in CONTRACTS["messages"].columns
    if not column.optional or column.name == "variant"
)


def read_candidates(realm: Realm, frame: pd.DataFrame, *, now: int) -> Approach:
    """Candidates as customers would meet them.

    Raises:
        BadInputError: A column is missing, a value unknown or a moment past.
    """
    _require_columns(frame, CANDIDATE_COLUMNS, what="candidates")
    return _meet(realm, frame, sent_at=_moments(frame, "send_at", now=now), now=now)


def read_messages(realm: Realm, frame: pd.DataFrame, *, now: int) -> Mail:
    """Messages to send, noted in the facts.

    Raises:
        BadInputError: A column is missing, a value unknown, a moment past or an id taken.
    """
    _require_columns(frame, MESSAGE_COLUMNS, what="messages")
    approach = _meet(realm, frame, sent_at=_moments(frame, "sent_at", now=now), now=now)
    imprint = Imprint(
        message_ids=frame["message_id"].tolist(),
        decision_ids=frame["decision_id"].tolist(),
        variants=frame["variant"],
        case_keys=_case_keys(frame),
        arm=_positions_in(frame, "arm", ARMS),
        propensity=frame["propensity"].to_numpy(np.float64),
        cost_cents=frame["cost_cents"].to_numpy(np.float64),
    )
    return write_mail(realm.facts, approach, imprint)


def _case_keys(frame: pd.DataFrame) -> pd.Series:
    """What each message is about; whoever sends it need not say."""
    if "case_key" in frame:
        return frame["case_key"]
    return pd.Series([None] * len(frame), dtype="str")


def _meet(realm: Realm, frame: pd.DataFrame, *, sent_at: Micros, now: int) -> Approach:
    """The messages of a frame; each is about the case that is open now, if one is."""
    customer = _positions_in(frame, "customer_id", realm.people.index)
    trigger = _positions_in(frame, "trigger", TRIGGERS)
    season = (sent_at >= realm.changes_at).astype(np.int64)
    return Approach(
        customer=customer,
        trigger=trigger,
        channel=_positions_in(frame, "channel", CHANNELS),
        sent_at=sent_at,
        wording=wordings_of(frame["variant"], season=season, seed=realm.luck.seed),
        season=season,
        case=realm.cases.latest(customer, trigger, now=now),
    )


def _moments(frame: pd.DataFrame, column: str, *, now: int) -> Micros:
    """Moments of a column of aware times, none of them past."""
    times = frame[column]
    if not isinstance(times.dtype, pd.DatetimeTZDtype):
        raise BadInputError(f"{column}: expected times with a zone, got {times.dtype}")
    moments: Micros = times.dt.tz_convert("UTC").dt.as_unit("us").astype("int64").to_numpy()
    if times.isna().any() or (moments < now).any():
        raise BadInputError(
            f"{column}: {times.min()} is not at or after {to_moment(now).isoformat()}, up to "
            "which the world has lived"
        )
    return moments


def _require_columns(frame: pd.DataFrame, wanted: tuple[str, ...], *, what: str) -> None:
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        raise BadInputError(f"{what}: columns {missing} are missing, got {list(frame.columns)}")


def _positions_in(frame: pd.DataFrame, column: str, book: pd.Index | tuple[str, ...]) -> Ints:
    index = book if isinstance(book, pd.Index) else pd.Index(book)
    positions: Ints = index.get_indexer(pd.Index(frame[column])).astype(np.int64)
    if (positions < 0).any():
        unknown = frame[column][positions < 0].unique()[:3].tolist()
        known = ", ".join(str(name) for name in index[:12])
        raise BadInputError(f"{column}: the world knows no {unknown}, but {known}")
    return positions
