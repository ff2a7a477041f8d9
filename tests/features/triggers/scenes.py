"""What tests of triggers share: a moment, the words for rows, scenarios with their answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from features.triggers import find_triggers
from features.vocabulary import Trigger

NOW = datetime(2026, 3, 10, 20, 30, tzinfo=UTC)
TODAY = datetime(2026, 3, 10, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)

Row = Mapping[str, object]
Rows = Mapping[str, Sequence[Row]]

MakeTable = Callable[..., pd.DataFrame]
MakeTables = Callable[..., dict[str, pd.DataFrame]]
FindEach = Callable[..., dict[str, pd.DataFrame]]


@dataclass(frozen=True)
class Scenes:
    """Scenarios of some triggers.

    Attributes:
        triggers: Which.
        scenarios: By name: the trigger, the rows, and whether it fires.
        told: Of some scenarios: since when, about what, how urgent, and what is said.
    """

    triggers: Sequence[Trigger]
    scenarios: Mapping[str, tuple[Trigger, Rows, bool]]
    told: Mapping[str, tuple[datetime, str, str | None, dict[str, object]]]


def find(tables: Mapping[str, pd.DataFrame], trigger: Trigger) -> pd.DataFrame:
    cases = find_triggers(tables, as_of=NOW)
    return cases.loc[cases["trigger"] == trigger].reset_index(drop=True)
