"""The numbers of states against those of the SQL, over random histories, and against skews."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.churn import CHURN_FEATURES
from features.conditions import EVENING, WEEKEND, is_false, is_true, not_yet, one_of, passed
from features.contracts import KNOWN_AT
from features.declarations import Aggregate, Feature, FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.histograms import HourHistogram, HourSource
from features.online import (
    CustomerState,
    Fact,
    Layout,
    compile_layout,
    conditions,
    lenses,
    read_facts,
    replay,
    replay_facts,
    row_writer,
    state,
    tile_writer,
    tiles,
)
from features.point_in_time import build_features, count_hours_of_week
from features.point_in_time.spine import MICROS_PER_DAY, MICROS_PER_HOUR, to_micros
from features.tables import Tables, empty_table
from features.vocabulary import Trigger

DrawTables = Callable[..., Tables]
Floats = npt.NDArray[np.float64]

SETS = (CHURN_FEATURES, ENGAGEMENT_FEATURES)
AROUND = to_micros(datetime(2026, 3, 30, 9, 30, 15, 250, tzinfo=UTC))
MIDNIGHT = AROUND - AROUND % MICROS_PER_DAY
EDGES = (
    *(start + tick for start in (AROUND, MIDNIGHT) for tick in (-1, 0, 1)),
    MIDNIGHT - 90 * MICROS_PER_DAY,
    MIDNIGHT - 30 * MICROS_PER_DAY,
    AROUND + 45 * MICROS_PER_DAY,
)
HOURS = "hours of the week"


@dataclass(frozen=True)
class Asked:
    """A customer's facts in the order in which they were told, and the moments of questions."""

    customer_id: str
    facts: list[Fact]
    moments: list[int]


@dataclass(frozen=True)
class Case:
    """Histories, what is asked of them, and what the SQL says."""

    tables: Tables
    asked: list[Asked]
    numbers: tuple[Floats, ...]
    hours: Floats
    sets: tuple[FeatureSet, ...] = SETS


def draw_moments(facts: list[Fact], rng: np.random.Generator, *, n: int) -> list[int]:
    """Half of them exactly when a fact became known, or beside it; the others on edges."""
    moments = [int(moment) for moment in rng.choice(EDGES, n - n // 2, replace=False)]
    places = rng.integers(0, len(facts), n // 2)
    moments += [facts[place].k_us + int(rng.integers(-1, 2)) for place in places]
    return sorted(moments)


def make_spine(asked: list[Asked]) -> pd.DataFrame:
    rows = [(one.customer_id, moment) for one in asked for moment in one.moments]
    spine = pd.DataFrame(rows, columns=["customer_id", "as_of"])
    return spine.assign(as_of=pd.to_datetime(spine["as_of"], unit="us", utc=True).dt.as_unit("us"))


def read_sql(tables: Tables, asked: list[Asked]) -> tuple[tuple[Floats, ...], Floats]:
    spine = make_spine(asked)
    numbers = (build_features(tables, spine, features=features) for features in SETS)
    columns = zip(numbers, SETS, strict=True)
    values = tuple(frame[list(one.names)].to_numpy() for frame, one in columns)
    return values, count_hours_of_week(tables, spine)


def make_case(tables: Tables, layout: Layout, *, seed: int, n_moments: int) -> Case:
    rng = np.random.default_rng(seed)
    facts: dict[str, list[Fact]] = {}
    for owned in read_facts(tables, layout=layout):
        facts.setdefault(owned.customer_id, []).append(owned.fact)
    asked = [
        Asked(
            customer_id,
            sorted(told, key=lambda fact: fact.told_us),
            draw_moments(told, rng, n=n_moments),
        )
        for customer_id, told in facts.items()
    ]
    return Case(tables, asked, *read_sql(tables, asked))


Answer = tuple[list[Floats], Floats]


def ask(customer: CustomerState, moment: int, sets: Sequence[FeatureSet]) -> Answer:
    return [customer.features(moment, features) for features in sets], customer.hours(moment)


def answer_one_by_one(
    case: Case, layout: Layout, *, sets: Sequence[FeatureSet] = SETS, stored: bool = False
) -> Iterator[Answer]:
    """Facts come in one after the other, with questions between."""
    for one in case.asked:
        customer, place = CustomerState(layout, one.customer_id), 0
        for moment in one.moments:
            while place < len(one.facts) and one.facts[place].told_us <= moment:
                customer.apply(one.facts[place])
                place += 1
            if stored:
                customer = CustomerState.from_bytes(customer.to_bytes(), layout=layout)
            yield ask(customer, moment, sets)


def answer_from_replay(
    case: Case, layout: Layout, *, before: int, sets: Sequence[FeatureSet] = SETS
) -> Iterator[Answer]:
    """States made from tables as of a moment; later facts come in one after the other."""
    as_of = datetime.fromtimestamp(0, tz=UTC) + pd.Timedelta(microseconds=before)
    states = {made.customer_id: made for made in replay(case.tables, layout=layout, before=as_of)}
    for one in case.asked:
        customer = states.get(one.customer_id) or CustomerState(layout, one.customer_id)
        later = [fact for fact in one.facts if fact.told_us >= before]
        for moment in one.moments:
            while later and later[0].told_us <= moment:
                customer.apply(later.pop(0))
            if moment < before:
                yield ask(replay_before(one, layout, moment=moment), moment, sets)
            else:
                yield ask(customer, moment, sets)


def replay_before(one: Asked, layout: Layout, *, moment: int) -> CustomerState:
    told = [fact for fact in one.facts if fact.told_us <= moment]
    return replay_facts(one.customer_id, reversed(told), layout=layout)


def find_differences(case: Case, answers: Iterator[Answer]) -> set[str]:
    """Names of features of which a number differs by more than 1e-9."""
    answered = list(answers)
    different = set()
    for place, features in enumerate(case.sets):
        online = np.array([numbers[place] for numbers, _ in answered])
        same = np.isclose(online, case.numbers[place], rtol=1e-9, atol=1e-9, equal_nan=True)
        different |= {features.names[n] for n in np.flatnonzero(~same.all(axis=0))}
    hours = np.array([hours for _, hours in answered])
    if not np.allclose(hours, case.hours, rtol=1e-9, atol=0.0):
        different.add(HOURS)
    return different


@pytest.fixture(scope="module")
def few(draw_tables: DrawTables, layout: Layout) -> Case:
    return make_case(draw_tables(60, seed=7), layout, seed=7, n_moments=6)


def test_a_thousand_histories_one_fact_after_the_other(
    draw_tables: DrawTables, layout: Layout
) -> None:
    case = make_case(draw_tables(1_000, seed=1), layout, seed=1, n_moments=3)
    assert len(case.asked) == 1_000
    assert find_differences(case, answer_one_by_one(case, layout)) == set()
    for numbers, features in zip(case.numbers, SETS, strict=True):
        told = {n for n, name in enumerate(features.names) if np.nanmax(numbers[:, n]) > 0.0}
        assert len(told) == len(features.names)  # no feature is agreed on for want of rows
    assert (case.hours > 0.0).any(axis=1).mean() > 0.3


def test_states_that_are_stored_between_questions(few: Case, layout: Layout) -> None:
    assert find_differences(few, answer_one_by_one(few, layout, stored=True)) == set()


@pytest.mark.parametrize("before", [MIDNIGHT - 60 * MICROS_PER_DAY, MIDNIGHT, AROUND])
def test_states_replayed_from_tables_and_then_kept_up(
    few: Case, layout: Layout, before: int
) -> None:
    assert find_differences(few, answer_from_replay(few, layout, before=before)) == set()


def test_histories_of_every_table(draw_history: Callable[..., dict], layout: Layout) -> None:
    tables = draw_history(3, around=datetime.fromtimestamp(0, tz=UTC) + pd.Timedelta(AROUND, "us"))
    case = make_case(tables, layout, seed=3, n_moments=8)
    assert find_differences(case, answer_one_by_one(case, layout)) == set()
    assert find_differences(case, answer_from_replay(case, layout, before=MIDNIGHT)) == set()


def declare(table: str, aggregate: Aggregate, value: str | None = None, **more: object) -> Feature:
    """A feature that nobody needs, of a kind that no set has."""
    name = "_".join(str(part) for part in (table, aggregate, value, *more.values()))
    name = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return Feature(
        name=name, table=table, aggregate=aggregate, value=value, unit="", description="", **more
    )


UNUSUAL = FeatureSet(
    "unusual",
    (
        declare("activity", Aggregate.SUM, "value"),
        declare("activity", Aggregate.LAST, "value", window_days=30, ends_days_ago=7),
        declare("activity", Aggregate.MIN, "value"),
        declare("activity", Aggregate.MIN, "value", window_days=30),
        declare("usage", Aggregate.MIN, "used", window_days=28, ends_days_ago=2),
        declare("orders", Aggregate.MIN, "amount_cents", window_days=90),
        declare("invoices", Aggregate.MIN, "amount_cents", where=(not_yet("paid_at"),)),
        declare("customers", Aggregate.CODE, "segment"),
        declare("subscriptions", Aggregate.CODE, "plan", ends_days_ago=30),
        declare("tickets", Aggregate.CODE, "topic", where=(is_true("escalated"),)),
        declare("activity", Aggregate.HOLDS, where=(one_of("kind", "login"),), window_days=7),
        declare("activity", Aggregate.DAYS_SINCE_LAST, window_days=7),
        declare("activity", Aggregate.DAYS_SINCE_FIRST, window_days=30, where=(EVENING,)),
        declare("activity", Aggregate.MEAN_GAP_DAYS, window_days=90),
        declare("activity", Aggregate.DISTINCT, "item"),
        declare("activity", Aggregate.DISTINCT, "item", ends_days_ago=30),
        declare("activity", Aggregate.DISTINCT, "item", window_days=7, ends_days_ago=1),
        declare("activity", Aggregate.COUNT, ends_days_ago=30),
        declare("activity", Aggregate.SLOPE, "value", window_days=30, bucket_days=10),
        declare("surveys", Aggregate.MEAN, "nps", window_days=90),
        declare("surveys", Aggregate.DAYS_UNTIL, "known_at"),
        declare("usage", Aggregate.SUM, "used", window_days=30),
        declare("usage", Aggregate.MEAN, "used"),
        declare("usage", Aggregate.SLOPE, "used", window_days=28, bucket_days=7, ends_days_ago=2),
        declare("orders", Aggregate.LAST, "amount_cents", where=(WEEKEND,)),
        declare("orders", Aggregate.COUNT, where=(EVENING,), window_days=90),
        declare("orders", Aggregate.SLOPE, window_days=90, bucket_days=30),
        declare("orders", Aggregate.DISTINCT, "order_id", window_days=30),
        declare("invoices", Aggregate.DAYS_UNTIL, "due_at", where=(not_yet("paid_at"),)),
        declare("invoices", Aggregate.DAYS_UNTIL, "paid_at"),
        declare("invoices", Aggregate.DAYS_UNTIL, "issued_at", window_days=30),
        declare("invoices", Aggregate.MEAN, "amount_cents", where=(is_false("disputed"),)),
        declare("tickets", Aggregate.HOLDS, where=(not_yet("resolved_at"), is_true("escalated"))),
        declare("tickets", Aggregate.DAYS_UNTIL, "resolved_at", where=(passed("known_at"),)),
        declare("messages", Aggregate.DISTINCT, "channel", window_days=30),
        declare("messages", Aggregate.DISTINCT, "trigger", where=(WEEKEND,)),
        declare("outcomes", Aggregate.DISTINCT, "channel", where=(passed("at"),)),
        declare("outcomes", Aggregate.DISTINCT, "message_id", window_days=30),
        declare("outcomes", Aggregate.COUNT, where=(EVENING, one_of("trigger", *Trigger))),
        declare("subscriptions", Aggregate.MEAN_GAP_DAYS),
        declare("subscriptions", Aggregate.DISTINCT, "plan"),
        declare("customers", Aggregate.COUNT, where=(one_of("language", "en"),)),
    ),
)
USES = HourHistogram(
    name="uses",
    sources=(HourSource("usage"), HourSource("orders"), HourSource("surveys")),
    half_life_days=None,
    description="",
)


def test_every_construct_on_every_kind_of_table(few: Case) -> None:
    layout = compile_layout((UNUSUAL,), histogram=USES)
    spine = make_spine(few.asked)
    numbers = build_features(few.tables, spine, features=UNUSUAL)[list(UNUSUAL.names)].to_numpy()
    hours = count_hours_of_week(few.tables, spine, histogram=USES)
    answers = (
        answer_one_by_one(few, layout, sets=(UNUSUAL,)),
        answer_one_by_one(few, layout, sets=(UNUSUAL,), stored=True),
        answer_from_replay(few, layout, sets=(UNUSUAL,), before=MIDNIGHT),
    )
    case = replace(few, sets=(UNUSUAL,), numbers=(numbers,), hours=hours)
    for answered in answers:
        assert find_differences(case, answered) == set()


def drop_late(self: CustomerState, fact: Fact) -> None:
    if fact.told_us <= fact.t_us:
        _APPLY(self, fact)


def key_every_outcome(table: row_writer.RowTable, row: dict[str, object]) -> int:
    key = _KEY_OF(table, row)
    return key if table.name != "outcomes" else key ^ int(str(row["at"]))


_APPLY, _KEY_OF = CustomerState.apply, row_writer.key_of
_READ_HOUR, _FIND_ERA, _HAS_PASSED = state.read_week_hour, state.find_era, conditions.has_passed
_FIND_ANCHOR, _TAKES_PLACE = tiles.find_anchor, row_writer.takes_place

SKEWS: dict[str, tuple[ModuleType | type, str, object]] = {
    "inclusive cutoff": (state, "is_known", lambda fact, *, before: fact.k_us <= before),
    "late facts dropped": (CustomerState, "apply", drop_late),
    "windows of whole hours": (
        lenses,
        "find_midnight",
        lambda moment: moment - moment % MICROS_PER_HOUR,
    ),
    "midnight on the customer's wall": (
        lenses,
        "find_midnight",
        lambda moment: moment - (moment + 5 * MICROS_PER_HOUR) % MICROS_PER_DAY,
    ),
    "a day that ends a microsecond early": (
        tile_writer,
        "find_day",
        lambda moment: (moment + 1) // MICROS_PER_DAY,
    ),
    "hours in UTC": (
        state,
        "read_week_hour",
        lambda moment, *, timezone: _READ_HOUR(moment, timezone=timezone and "UTC"),
    ),
    "an era too long": (
        state,
        "find_era",
        lambda moment, *, half_life_days: _FIND_ERA(moment, half_life_days=half_life_days + 1),
    ),
    "repeats counted twice": (state, "is_new", lambda *_: True),
    "corrections ignored": (
        row_writer,
        "takes_place",
        lambda table, **times: not table.corrected and _TAKES_PLACE(table, **times),
    ),
    "the last outcome instead of the first": (
        row_writer,
        "takes_place",
        lambda *_, **__: True,
    ),
    "every outcome counted": (row_writer, "key_of", key_every_outcome),
    "outcomes before their messages": (
        state,
        "find_moment",
        lambda *given: given[-1].t_us,
    ),
    "machines counted": (state, "is_human", lambda _: True),
    "the first value of a tie": (tiles, "pick_at_tie", lambda old, _: old),
    "null as zero": (tile_writer, "read_number", lambda row, column: float(row[column] or 0.0)),
    "later events seen": (conditions, "has_passed", lambda times, **_: times > 0.0),
    "days let go too early": (
        tiles,
        "find_anchor",
        lambda plan, *, known_us: _FIND_ANCHOR(plan, known_us=known_us) + 1,
    ),
}


@pytest.mark.parametrize(("owner", "name", "skewed"), SKEWS.values(), ids=SKEWS)
def test_a_skew_in_the_states_is_caught(
    few: Case,
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    owner: ModuleType | type,
    name: str,
    skewed: object,
) -> None:
    monkeypatch.setattr(owner, name, skewed)
    assert find_differences(few, answer_one_by_one(few, layout))


def test_a_skew_in_the_sql_is_caught(few: Case, layout: Layout) -> None:
    at_once = {
        name: frame.assign(**{KNOWN_AT: empty_table(name)[KNOWN_AT].reindex(frame.index)})
        for name, frame in few.tables.items()
        if KNOWN_AT in frame
    }
    skewed = Case(few.tables, few.asked, *read_sql({**few.tables, **at_once}, few.asked))
    assert find_differences(skewed, answer_one_by_one(few, layout))
