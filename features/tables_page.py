"""The contracts of the tables as a page for people; docs/tables.md is its output."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from features.checks.rules import EXPECTED
from features.contracts import CONTRACTS, Column, Kind, TableContract

_ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "customers": "Whom one can write to. The only required table.",
        "activity": "What customers do: login, session, feature_use, page_view, cart_add, "
        "purchase, onboarding_step and whatever else `kind` names.",
        "orders": "What was ordered, when it was promised and when it arrived.",
        "shipments": "Every new estimate of a parcel's arrival, one row each.",
        "subscriptions": "What a customer subscribes to from a moment on; the latest row holds.",
        "usage": "How much of the plan's limit is used: a running total within the period.",
        "invoices": "What was billed and when it was paid.",
        "tickets": "Calls and requests to support.",
        "surveys": "Answers to: how likely are you to recommend us?",
        "prices": "Prices of the items that `activity.item` names, from a moment on.",
        "disruptions": "Service failures by region.",
        "messages": "What was sent, under which arm and with which probability.",
        "decisions": "Every decision whether to write, those not to write included: `channel` is "
        "null there. `p_<channel>` is the probability of that channel, over hours and wordings, "
        "given the arm: 0 where it was not possible; the rest to 1 is that of no message. "
        "Decisions for several channels at once have no row (`opportune online decisions` writes "
        "the table).",
        "outcomes": "What came of the messages; `machine` marks scanners and privacy proxies.",
        "inbound": "What people wrote to the company.",
        "vendors": "Who can be called to help, where and at what price.",
    }
)

_HEAD = """# Tables

What Opportune reads: tables of these names, as parquet or CSV files in a folder, or as tables or
views of a DuckDB file or a PostgreSQL database. Tables of other names and columns come through a
[mapping](your_tables.md). This page is written from `features.contracts.CONTRACTS`.

Only `customers` is required, and those tables that rows of another refer to. Columns beyond these
are kept as candidates for features and otherwise ignored; tables of other names are ignored.

- **Times** are moments with their zone, kept as UTC with microseconds; a time without a zone is
  refused. In CSV files they are ISO 8601: `2024-05-01T09:30:00+05:00`.
- **Money** is in whole cents, except for the cost of sending, which may be a fraction.
- **Empty cells** of a CSV file are null.
- Every row has the moment it **became known**; nothing uses a row before that. Columns marked
  *later* hold the time of a later event: they become known at that time and are null before it.
- `known_at` says when a row became known, where that was later than its own moment.
- **Corrections**: where a table has a key and `known_at`, several rows may have one key. At any
  moment the one holds that had become known last; before that, the one before it. Two rows of one
  key known at the same moment are refused, and so is a correction that gives a row to another
  customer.
- `event_id`: rows with the same one are the same event told again, and count once. One that tells
  something else the second time is refused.
- A `?` marks columns that may be missing or null.
"""


def describe_contracts() -> str:
    """All tables with their columns, in Markdown."""
    return "\n".join([_HEAD, *(_describe(contract) for contract in CONTRACTS.values())])


def _describe(contract: TableContract) -> str:
    corrected = " and `known_at`" if contract.corrected else ""
    key = f"One row for each {_code(contract.key)}{corrected}." if contract.key else "No key."
    known = f"Known at `{contract.moment}`." if contract.moment else "Always known."
    rows = "\n".join(
        f"| `{column.name}`{'?' * column.optional} | {_holds(column, contract)} |"
        for column in contract.columns
    )
    return (
        f"## {contract.name}\n\n{_ABOUT[contract.name]} {key} {known}\n\n"
        f"| column | holds |\n|---|---|\n{rows}\n"
    )


def _holds(column: Column, contract: TableContract) -> str:
    kind = "an amount in cents" if _is_fractional_money(column) else EXPECTED[column.kind]
    parts = [f"one of {_code(column.choices)}" if column.choices else kind, *_limits(column)]
    if column.refers_to is not None:
        parts.append(f"found in `{column.refers_to}`")
    if column.name in contract.revised:
        parts.append("*later*")
    return ", ".join(parts)


def _is_fractional_money(column: Column) -> bool:
    return column.kind is Kind.NUMBER and column.name.endswith("_cents")


def _limits(column: Column) -> list[str]:
    if column.low is None:
        return []
    if column.high is None:
        return [f"{column.low:g} or more"]
    return [f"{column.low:g} to {column.high:g}"]


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
