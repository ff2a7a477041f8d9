"""When tables begin and end, asked where they lie."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from features.contracts import CONTRACTS, KNOWN_AT, TableContract
from features.engines.engine import Engine
from features.errors import BadInputError
from features.tables import Tables

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000


@dataclass(frozen=True)
class Span:
    """What time tables speak of.

    Attributes:
        first_customer: When the first customer became known.
        end: The first whole second at which every row is known.
    """

    first_customer: datetime
    end: datetime


def find_span(tables: Tables, *, engine: Engine) -> Span:
    """When the tables begin and end; BadInputError when there is no customer in them.

    Args:
        tables: Conformed frames by name, or files; `customers` is required.
        engine: Where they are read.
    """
    names = [name for name in tables if name in CONTRACTS and CONTRACTS[name].moment]
    with engine.open(tables, names=names) as relations:
        first = relations.query(
            f"SELECT MIN({_known(CONTRACTS['customers'])}) AS k FROM base_customers b"
        )["k"]
        parts = (f"SELECT MAX({_known(CONTRACTS[name])}) AS k FROM base_{name} b" for name in names)
        last = relations.query(" UNION ALL ".join(parts))["k"]
    if first.isna().any():
        raise BadInputError("customers: the table is empty")
    end_us = -(-(int(last.max()) + 1) // _SECOND) * _SECOND
    return Span(_moment(int(first.iloc[0])), _moment(end_us))


def _known(contract: TableContract) -> str:
    told = any(column.name == KNOWN_AT for column in contract.columns)
    moment = f"b.{contract.moment}"
    return f"GREATEST({moment}, COALESCE(b.{KNOWN_AT}, {moment}))" if told else moment


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
