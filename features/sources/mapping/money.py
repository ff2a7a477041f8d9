"""Amounts of theirs as whole cents of ours, exactly, half a cent to the even one."""

from bisect import bisect_right
from collections.abc import Mapping as Map
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

_Column: TypeAlias = "pd.Series[Any]"

_LARGEST = Decimal(2**63 - 1)


@dataclass(frozen=True)
class RateTable:
    """What one of another currency is worth in ours.

    Attributes:
        ours: The currency of our cents; empty where no other is spoken of.
        rates: By currency and the day from which a rate holds.
        hold_days: For how many days it holds.
    """

    ours: str
    rates: Map[str, Map[date, Decimal]]
    hold_days: int

    def rate(self, currency: str, day: date | None) -> Decimal | None:
        """The rate of a day: the last one not older than it may be; None where there is none."""
        if currency == self.ours:
            return Decimal(1)
        if day is None or currency not in self.rates:
            return None
        days = sorted(self.rates[currency])
        at = bisect_right(days, day) - 1
        if at < 0 or (day - days[at]).days > self.hold_days:
            return None
        return self.rates[currency][days[at]]


def cents_of(
    amounts: _Column, *, per_unit: int, currencies: _Column, days: _Column, table: RateTable
) -> _Column:
    """Amounts as cents.

    Args:
        amounts: Numbers, decimals or text that reads as such.
        per_unit: How many of our cents one is: 100 for units, 1 for cents.
        currencies: The currency of each.
        days: The day (UTC) of each row's moment; null where that is unknown.
        table: Rates.

    Returns:
        Whole cents; an amount that is none stays as it was, one without a rate becomes a text that
        says so: `12.50 USD of 2026-01-31`.
    """
    priced = pd.DataFrame(
        {"amount": amounts.astype("object"), "currency": currencies, "day": days},
        index=amounts.index,
    )
    present = priced["amount"].notna()
    # Few amounts, currencies and days make many rows: each combination is reckoned once.
    keys = priced["amount"].astype("str") + "\n" + priced["currency"].fillna("").astype("str")
    codes, _ = pd.factorize(keys + "\n" + priced["day"].astype("str"))
    _, firsts = np.unique(codes, return_index=True)
    reckoned = [
        _reckon(*priced.iloc[int(first)], per_unit=per_unit, table=table)
        if present.iloc[int(first)]
        else None
        for first in firsts
    ]
    cells = np.empty(len(reckoned), dtype=object)
    cells[:] = reckoned
    result = pd.Series(cells[codes], index=amounts.index, dtype="object")
    whole = all(cell is None or isinstance(cell, int) for cell in reckoned)
    return result.astype("Int64") if whole else result


def _reckon(
    amount: object, currency: object, day: object, *, per_unit: int, table: RateTable
) -> object:
    if isinstance(amount, bool):
        return amount
    try:
        exact = Decimal(str(amount).strip())
    except InvalidOperation:
        return amount
    when = day if isinstance(day, date) and not pd.isna(pd.Timestamp(day)) else None
    written = str(currency) if isinstance(currency, str) else ""
    rate = table.rate(written, when)
    if rate is None:
        of = f" of {when}" if when is not None else ""
        return f"{amount} {written or 'without a currency'}{of}"
    if not exact.is_finite() or abs(exact) > _LARGEST:
        return amount
    cents = (exact * per_unit * rate).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return int(cents) if abs(cents) <= _LARGEST else amount
