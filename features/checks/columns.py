"""Rules that one column can break on its own, as pandera schemas made from the contracts."""

from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

from features.checks.conform import Conformed
from features.checks.rules import EXPECTED, Rule
from features.checks.violations import Mask, Violation, violation_at
from features.contracts import CONTRACTS, Column, Kind
from features.schemas import pa

LIKELY_TIMES = (pd.Timestamp("1971-01-01", tz="UTC"), pd.Timestamp("2200-01-01", tz="UTC"))
"""Times outside are no times of customers: zeros, other units, and ends that stand for never."""


@dataclass(frozen=True)
class _Failure:
    """What one check found in one column."""

    column: str
    rule: Rule
    expected: str
    bad: Mask


def find_column_violations(conformed: Conformed) -> list[Violation]:
    """Nulls, unknown values, amounts and numbers out of range, in every table."""
    violations: list[Violation] = []
    for name, frame in conformed.tables.items():
        contract = CONTRACTS[name]
        for failure in (*_validate(frame, table=name), *_find_unlikely_times(frame, table=name)):
            bad = failure.bad
            if failure.rule is Rule.NULL_VALUE and (name, failure.column) in conformed.unusable:
                bad = bad & ~conformed.unusable[name, failure.column]
            violations += violation_at(
                bad,
                frame=frame,
                contract=contract,
                column=failure.column,
                rule=failure.rule,
                expected=failure.expected,
                first_row=conformed.first_row,
            )
    return violations


def _validate(frame: pd.DataFrame, *, table: str) -> list[_Failure]:
    try:
        _schema(table).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return [_failure(error, frame=frame, table=table) for error in errors.schema_errors]
    return []


def _find_unlikely_times(frame: pd.DataFrame, *, table: str) -> list[_Failure]:
    """Not a pandera check: those read a column of times in a way that pandas warns of."""
    first, end = LIKELY_TIMES
    return [
        _Failure(
            column.name,
            Rule.UNLIKELY_TIME,
            f"a time from {first.year} on and before {end.year}",
            ((frame[column.name] < first) | (frame[column.name] >= end)).to_numpy(),
        )
        for column in CONTRACTS[table].columns
        if column.kind in (Kind.TIME, Kind.DATE)
    ]


def _failure(error: pa.errors.SchemaError, *, frame: pd.DataFrame, table: str) -> _Failure:
    bad = np.zeros(len(frame), dtype=bool)
    bad[error.failure_cases["index"].to_numpy(dtype=np.int64)] = True
    if isinstance(error.check, pa.Check):
        return _Failure(error.schema.name, Rule(str(error.check.name)), str(error.check.error), bad)
    column = CONTRACTS[table].column(error.schema.name)
    return _Failure(column.name, Rule.NULL_VALUE, EXPECTED[column.kind], bad)


@cache
def _schema(table: str) -> pa.DataFrameSchema:
    return pa.DataFrameSchema(
        {
            column.name: pa.Column(
                checks=_checks(column),
                nullable=column.optional or column.kind is Kind.CONSENT,
            )
            for column in CONTRACTS[table].columns
        }
    )


def _checks(column: Column) -> list[pa.Check]:
    """The checks of one column; a check's name is its rule, its error what was expected."""
    checks: list[pa.Check] = []
    if column.kind is Kind.ZONE:
        checks.append(
            pa.Check.isin(
                available_timezones(),
                name=Rule.UNKNOWN_TIME_ZONE.value,
                error=EXPECTED[Kind.ZONE],
            )
        )
    if column.choices:
        choices = [str(choice) for choice in column.choices]
        checks.append(
            pa.Check.isin(
                choices, name=Rule.UNKNOWN_VALUE.value, error=f"one of {', '.join(choices)}"
            )
        )
    if column.low is not None:
        checks.append(_range_check(column, low=column.low))
    return checks


def _range_check(column: Column, *, low: float) -> pa.Check:
    is_money = column.name.endswith("_cents")
    rule = Rule.NEGATIVE_MONEY if is_money else Rule.OUT_OF_RANGE
    if column.high is None:
        return pa.Check.ge(low, name=rule.value, error=f"{low:g} or more")
    expected = f"{low:g} to {column.high:g}"
    return pa.Check.in_range(low, column.high, name=rule.value, error=expected)
