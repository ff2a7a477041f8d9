"""What the service decided, sent and was told of, as tables: a log that models learn from.

The records hold more than a table can: actions are channels at an hour, alone or together. The
table `decisions` has one channel a row and the probability of each, so

- probabilities are summed over the hours, by channel;
- decisions for several channels at once have no row. Whether it came to that was chance too, so
  the probabilities of the others are those given that it did not: p / (1 - p of several at once).
  What they leave to 1 is then exactly the probability of no message.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pandas as pd

from features.contracts import CONTRACTS
from features.tables import Tables, empty_table
from features.vocabulary import Channel
from serving.online.export import count_out
from serving.online.facts import Fact
from serving.online.own import messages_of, outcome_of
from serving.online.rows import tables_of
from serving.policy.cases import to_us
from serving.records import Decision
from serving.store.store import Store

IDENTITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "decisions": ("decision_id",),
    "messages": ("message_id",),
    "outcomes": ("message_id", "outcome", "at", "machine"),
}
"""The tables that are made, and what tells that a row of one is there already."""


@dataclass(frozen=True)
class DecidedLog:
    """What a store holds, as tables.

    Attributes:
        tables: Conformed frames `decisions`, `messages` and `outcomes`.
        n_several: Decisions for several channels at once, which have no row.
        n_to_come: Messages that are planned for later than anything that has happened.
    """

    tables: Tables
    n_several: int
    n_to_come: int


@dataclass(frozen=True)
class JoinedLog:
    """A log together with what the company's tables hold already.

    Attributes:
        tables: `decisions`, `messages` and `outcomes`, fit to take the place of those tables.
        n_added: Rows that the tables did not hold, by table.
        n_left_out: Rows about customers or messages that the tables do not hold, by table.
    """

    tables: Tables
    n_added: dict[str, int]
    n_left_out: dict[str, int]


def export_decided(store: Store) -> DecidedLog:
    """Everything that was decided, what was sent, and what came of it.

    Messages that were cancelled in time were never sent.
    """
    parts: dict[str, list[pd.DataFrame]] = {name: [empty_table(name)] for name in IDENTITIES}
    n_several = 0
    moments: list[datetime] = []
    with store.reading() as session:
        cancelled = set(session.find_cancelled())
        for records in session.read_decisions():
            n_several += sum(len(record.channels) > 1 for record in records)
            moments += [max(record.decided_at for record in records)] if records else []
            facts = [fact for record in records for fact in _facts_of(record)]
            _add(parts, [fact for fact in facts if fact.row.get("message_id") not in cancelled])
        for events in session.read_outcomes():
            _add(parts, [outcome_of(event) for event in events])
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    messages, told = tables["messages"], tables["outcomes"]["at"]
    moments += [] if told.empty else [told.max()]
    to_come: dict[str, int] = {}
    if moments:
        has_come = messages["sent_at"] <= max(moments)
        tables["messages"] = count_out("messages", messages, has_come, to_come)
    return DecidedLog(tables, n_several, to_come.get("messages", 0))


def join_decided(log: DecidedLog, tables: Tables) -> JoinedLog:
    """The rows of the tables, and after them those of the log that they do not hold.

    Args:
        log: What was decided.
        tables: The company's tables, conformed; `customers` among them.
    """
    customers = set(tables["customers"]["customer_id"])
    n_left_out: dict[str, int] = {}
    fresh: dict[str, pd.DataFrame] = {}
    for name, frame in log.tables.items():
        is_new = ~_keys(frame, name).isin(_keys(tables.get(name, empty_table(name)), name))
        fresh[name] = frame.loc[is_new].reset_index(drop=True)
        if "customer_id" in frame:
            is_known = fresh[name]["customer_id"].isin(customers)
            fresh[name] = count_out(name, fresh[name], is_known, n_left_out)
    joined = {name: _append(tables, name, fresh[name]) for name in ("decisions", "messages")}
    is_about = fresh["outcomes"]["message_id"].isin(joined["messages"]["message_id"])
    fresh["outcomes"] = count_out("outcomes", fresh["outcomes"], is_about, n_left_out)
    joined["outcomes"] = _append(tables, "outcomes", fresh["outcomes"])
    return JoinedLog(joined, {name: len(frame) for name, frame in fresh.items()}, n_left_out)


def describe_decision(record: Decision) -> Fact | None:
    """A decision as a row of `decisions`; None where it is for several channels at once."""
    if len(record.channels) > 1:
        return None
    p = dict.fromkeys(Channel, 0.0)
    p_several = 0.0
    for action in record.allowed:
        if len(action.channels) == 1:
            p[action.channels[0]] += action.probability
        elif action.channels:
            p_several += action.probability
    rest = 1.0 - p_several
    given = {f"p_{c}": min(p_c / rest, 1.0) if rest > 0.0 else 0.0 for c, p_c in p.items()}
    taken = {"channel": record.channels[0].value} if record.channels else {}
    return Fact(
        "decisions",
        {
            "decision_id": record.decision_id,
            "customer_id": record.customer_id,
            "trigger": record.trigger.value,
            "decided_at": to_us(record.decided_at),
            "arm": record.arm.value,
            **taken,
            **given,
        },
        None,
    )


def _facts_of(record: Decision) -> Iterator[Fact]:
    decided = describe_decision(record)
    if decided is not None:
        yield decided
    yield from messages_of(record)


def _add(parts: dict[str, list[pd.DataFrame]], facts: Iterable[Fact]) -> None:
    for name, frame in tables_of(list(facts), names=()).items():
        parts[name].append(frame)


def _keys(frame: pd.DataFrame, name: str) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(frame[list(IDENTITIES[name])])


def _append(tables: Tables, name: str, fresh: pd.DataFrame) -> pd.DataFrame:
    """What the tables hold, further columns included, and the new rows in their order of time."""
    held = tables.get(name, empty_table(name))
    rows = fresh.sort_values(CONTRACTS[name].moment, kind="stable")
    return pd.concat([held, rows], ignore_index=True)
