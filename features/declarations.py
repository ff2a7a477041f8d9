"""What a feature is, as data: builders, catalogue and model signatures all come from it.

A `Feature` is an aggregate over the rows of one table that were known before a moment, a `Derived`
one combines two of them, a `FeatureSet` is an ordered choice with a digest that models carry.

>>> from features.conditions import one_of
>>> logins = Feature(
...     name="logins",
...     table="activity",
...     aggregate=Aggregate.COUNT,
...     where=(one_of("kind", "login"),),
...     unit="logins",
...     description="Logins.",
... )
>>> recent = FeatureSet("recent", over_windows(logins, days=(7, 30)))
>>> recent.names
('logins_7d', 'logins_30d')
>>> FeatureSet("other name, same features", recent.features).digest == recent.digest
True
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from features.conditions import WEEK_HOUR, Condition
from features.contracts import CONTRACTS, Kind
from features.errors import BadInputError

_FORM = 2
"""Raised when an aggregate, a window or a combination comes to mean something else."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")

_OF_OUTCOMES = {
    "message_id": Kind.ID,
    "customer_id": Kind.ID,
    "channel": Kind.TEXT,
    "trigger": Kind.TEXT,
    "outcome": Kind.TEXT,
    "at": Kind.TIME,
}
"""Outcomes are the first ones that no machine made, with what they take over from their message."""


class Aggregate(StrEnum):
    """How the rows of a window become one number."""

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    DISTINCT = "distinct"
    LAST = "last"
    CODE = "code"  # of the last text, see `features.codes`
    HOLDS = "holds"
    DAYS_UNTIL = "days_until"
    DAYS_SINCE_LAST = "days_since_last"
    DAYS_SINCE_FIRST = "days_since_first"
    MEAN_GAP_DAYS = "mean_gap_days"
    SLOPE = "slope"

    @property
    def reads_value(self) -> bool:
        """Whether it aggregates a column, not only rows and their times; a slope may do either."""
        return self in _OF_A_VALUE

    @property
    def reads_latest(self) -> bool:
        """Whether it looks at the latest row alone (the largest value where rows tie)."""
        return self in _OF_THE_LATEST

    @property
    def is_zero_without_rows(self) -> bool:
        """Whether no rows make it 0; all others are null then."""
        return self in (Aggregate.COUNT, Aggregate.SUM, Aggregate.DISTINCT, Aggregate.SLOPE)


_OF_A_VALUE = frozenset(
    {
        *(Aggregate.SUM, Aggregate.MEAN, Aggregate.MIN, Aggregate.DISTINCT),
        *(Aggregate.LAST, Aggregate.CODE, Aggregate.DAYS_UNTIL),
    }
)
_OF_THE_LATEST = frozenset({Aggregate.LAST, Aggregate.CODE, Aggregate.HOLDS, Aggregate.DAYS_UNTIL})
_NUMBERS = frozenset({Kind.CENTS, Kind.COUNT, Kind.NUMBER, Kind.HOUR})
_TIMES = frozenset({Kind.TIME, Kind.DATE})
_TEXTS = frozenset({Kind.ID, Kind.TEXT})
_READS = {Aggregate.DAYS_UNTIL: _TIMES, Aggregate.DISTINCT: _TEXTS, Aggregate.CODE: _TEXTS}
"""Kinds of column that an aggregate reads; numbers where nothing is said."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """An aggregate over the rows of a table known strictly before a moment.

    With `midnight` the start of the moment's UTC day, a window holds the rows with
    `midnight - window_days <= t < moment`; with `ends_days_ago` it lies that many days earlier and
    ends at `midnight - ends_days_ago` (sawtooth windows: daily tiles give the same numbers).

    A slope has whole buckets only: its window always ends at a midnight, `midnight -
    ends_days_ago`, and is cut into buckets of `bucket_days`. It is the change per bucket of the
    count, or of the sum of the value, by least squares; no rows make it 0.

    Attributes:
        name: Column it becomes.
        table: Table it reads.
        aggregate: How rows become a number.
        value: Column that is aggregated, where the aggregate takes one.
        where: Conditions on a row, all of which must hold.
        window_days: Length of the window; None reaches back to the first row.
        ends_days_ago: Days between the moment's midnight and the end of the window; 0 reaches up
            to the moment itself.
        bucket_days: Length of a bucket of a slope; the window has two or more.
        unit: Unit of the number.
        null_means: What null says, next to the table being absent.
        description: One line for the catalogue.
    """

    name: str
    table: str
    aggregate: Aggregate
    value: str | None = None
    where: tuple[Condition, ...] = ()
    window_days: int | None = None
    ends_days_ago: int = 0
    bucket_days: int | None = None
    unit: str
    null_means: str = ""
    description: str

    def __post_init__(self) -> None:
        faults = [*_find_name_faults(self.name), *_find_feature_faults(self)]
        if faults:
            raise BadInputError(f"feature {self.name}: " + "; ".join(faults))

    @property
    def definition(self) -> tuple[object, ...]:
        """Everything that decides the number, as JSON can hold it; wording is left out."""
        where = [(c.column, c.test.name, c.operands) for c in self.where]
        window = (self.window_days, self.ends_days_ago, self.bucket_days)
        return (self.name, self.table, self.aggregate, self.value, where, *window)

    @property
    def in_millionths(self) -> bool:
        """Whether its sum is one of whole millionths, so that the order of rows is no matter."""
        adds = self.aggregate in (Aggregate.SUM, Aggregate.MEAN, Aggregate.SLOPE)
        if self.value is None or not adds:
            return False
        return CONTRACTS[self.table].column(self.value).kind is Kind.NUMBER

    @property
    def n_buckets(self) -> int:
        """Buckets of a slope; 0 of anything else."""
        return (self.window_days or 0) // self.bucket_days if self.bucket_days else 0

    @property
    def reads_hours(self) -> bool:
        """Whether it asks for the hour of the customer's week."""
        return any(condition.column == WEEK_HOUR for condition in self.where)

    @property
    def tables(self) -> frozenset[str]:
        """Tables without which it cannot be known: its own, and what that one leans on."""
        messages = {"messages"} if self.table == "outcomes" else set()
        customers = {"customers"} if self.reads_hours else set()
        return frozenset({self.table, *messages, *customers})


class Combination(StrEnum):
    """How two features become a derived one."""

    RATIO = "ratio"  # scale * left / right, null where right is 0
    SHARE = "share"  # the same, at most 1
    DIFFERENCE = "difference"  # scale * (left - right)


@dataclass(frozen=True, kw_only=True)
class Derived:
    """A combination of two features of the same set; null where either is.

    Attributes:
        name: Column it becomes.
        combination: Ratio, share or difference.
        left: Name of the numerator or minuend.
        right: Name of the denominator or subtrahend.
        scale: Factor of the result.
        floor: A denominator counts as this where it is smaller; None takes it as it is.
        unit: Unit of the number.
        null_means: What null says.
        description: One line for the catalogue.
    """

    name: str
    combination: Combination
    left: str
    right: str
    scale: float = 1.0
    floor: float | None = None
    unit: str
    null_means: str
    description: str

    def __post_init__(self) -> None:
        faults = _find_name_faults(self.name)
        if self.floor is not None and (
            self.floor <= 0.0 or self.combination is Combination.DIFFERENCE
        ):
            faults.append(f"a floor of {self.floor} is for denominators, and above 0")
        if faults:
            raise BadInputError(f"feature {self.name}: " + "; ".join(faults))

    @property
    def definition(self) -> tuple[object, ...]:
        """Everything that decides the number, as JSON can hold it; wording is left out."""
        return (self.name, self.combination, self.left, self.right, self.scale, self.floor)


@dataclass(frozen=True)
class FeatureSet:
    """Features in the order in which a model sees them.

    Attributes:
        name: What the set is for.
        features: Its declarations; names are unique, derived ones refer to plain ones of the set.
    """

    name: str
    features: tuple[Feature | Derived, ...]

    def __post_init__(self) -> None:
        faults = [] if self.features else ["declares no feature"]
        faults += [f"{n} is declared {k} times" for n, k in Counter(self.names).items() if k > 1]
        plain = {feature.name for feature in self.plain}
        faults += [
            f"{derived.name} needs {name}, which is no plain feature of the set"
            for derived in self.derived
            for name in (derived.left, derived.right)
            if name not in plain
        ]
        if faults:
            raise BadInputError(f"feature set {self.name}: " + "; ".join(faults))

    @property
    def plain(self) -> tuple[Feature, ...]:
        """The features that read tables."""
        return tuple(f for f in self.features if isinstance(f, Feature))

    @property
    def derived(self) -> tuple[Derived, ...]:
        """The features that combine others."""
        return tuple(f for f in self.features if isinstance(f, Derived))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def tables(self) -> frozenset[str]:
        """Tables that the set reads."""
        return frozenset().union(*(feature.tables for feature in self.plain))

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits of SHA-256 over the definitions, order included."""
        definitions = [feature.definition for feature in self.features]
        text = json.dumps([_FORM, definitions], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def union_of(name: str, *sets: FeatureSet) -> FeatureSet:
    """The features of several sets, each once, in the order in which they first come.

    Raises:
        BadInputError: Two sets mean different things by one name.
    """
    return FeatureSet(name, tuple(dict.fromkeys(f for one in sets for f in one.features)))


def share_of(part: str, whole: str, *, name: str, null_means: str, description: str) -> Derived:
    """The part over the whole, at most 1; null where the whole is 0."""
    return Derived(
        name=name,
        combination=Combination.SHARE,
        left=part,
        right=whole,
        unit="share",
        null_means=null_means,
        description=description,
    )


def over_windows(feature: Feature, *, days: Iterable[int]) -> tuple[Feature, ...]:
    """The same feature over several windows, named `<name>_<days>d`."""
    return tuple(replace(feature, name=f"{feature.name}_{d}d", window_days=d) for d in days)


def read_kinds(table: str) -> Mapping[str, Kind]:
    """What a declaration may read of a table about customers; nothing of any other table."""
    if table == "outcomes":
        return {**_OF_OUTCOMES, WEEK_HOUR: Kind.HOUR}
    contract = CONTRACTS.get(table)
    kinds = {c.name: c.kind for c in contract.columns} if contract is not None else {}
    if "customer_id" not in kinds:
        return {}
    return kinds if table == "customers" else {**kinds, WEEK_HOUR: Kind.HOUR}


def _find_name_faults(name: str) -> list[str]:
    return [] if _NAME.fullmatch(name) else ["a name has small letters, digits and _ only"]


def find_table_faults(table: str) -> list[str]:
    """Why nothing can be declared of a table, in words; nothing where it can."""
    contract = CONTRACTS.get(table)
    if contract is None or not contract.moment:
        return [f"table {table!r} is not one whose rows have a moment"]
    return [] if read_kinds(table) else [f"table {table} is not about customers"]


def _find_feature_faults(feature: Feature) -> list[str]:
    if faults := find_table_faults(feature.table):
        return faults
    kinds = read_kinds(feature.table)
    faults = [fault for c in feature.where for fault in c.find_faults(kinds)]
    faults += _find_value_faults(feature, kinds=kinds)
    if feature.window_days is not None and feature.window_days < 1:
        faults.append(f"a window has at least 1 day, not {feature.window_days}")
    if feature.ends_days_ago < 0:
        faults.append(f"a window cannot end {-feature.ends_days_ago} days ahead")
    return faults + _find_bucket_faults(feature)


def _find_bucket_faults(feature: Feature) -> list[str]:
    days, bucket = feature.window_days, feature.bucket_days
    if feature.aggregate is not Aggregate.SLOPE:
        return [] if bucket is None else [f"{feature.aggregate} has no buckets"]
    if bucket is None or bucket < 1 or days is None or days % bucket or days < 2 * bucket:
        return [f"a slope needs a window of two or more whole buckets, not {days} of {bucket} days"]
    return []


def _find_value_faults(feature: Feature, *, kinds: Mapping[str, Kind]) -> list[str]:
    aggregate, value = feature.aggregate, feature.value
    if aggregate is not Aggregate.SLOPE and aggregate.reads_value != (value is not None):
        return [f"{aggregate} {'needs a' if aggregate.reads_value else 'takes no'} value"]
    if aggregate is Aggregate.HOLDS and not feature.where:
        return ["holds needs a condition that can hold"]
    if value is None:
        return []
    fitting = _READS.get(aggregate, _NUMBERS)
    if value == WEEK_HOUR or kinds.get(value) not in fitting:
        return [f"{aggregate} cannot read {feature.table}.{value}, which holds {kinds.get(value)}"]
    contract = CONTRACTS[feature.table]
    if aggregate is Aggregate.CODE and (not contract.key or contract.column(value).choices):
        return [f"code reads open texts of a table with a key, not {feature.table}.{value}"]
    return []
