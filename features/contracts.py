"""The contracts of the tables, as data: columns, kinds, keys, and when a row became known.

A contract says which columns a table has, what a value may be, what identifies a row, and the
row's own moment. A row is known from that moment on, or from its `known_at` where that is given
and later; nothing may use it before. Values that are themselves the time of a later event
(`delivered_at`, `resolved_at`, `paid_at`, `ends_at`) become known at that time and are null
before it.

Rows come again. Where a table has a key, a later row of the same key is a correction: of the rows
known at a moment, the one that became known last holds. Where it has none, an `event_id` tells that
a row is the same one again, and the first holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from features.vocabulary import Arm, Channel, Outcome, Trigger

KNOWN_AT = "known_at"
"""Column of all dated tables but messages: when the row became known, if later than its moment."""

EVENT_ID = "event_id"
"""Column of tables without a key: tells that a row is the same one again."""

MARKETING = "marketing_consent_"
"""Beginning of the columns, one per channel, with what a customer said to marketing on it."""


class Kind(StrEnum):
    """What a column holds."""

    ID = "id"  # str, never empty
    TEXT = "text"  # str
    ZONE = "zone"  # str, name of an IANA time zone
    TIME = "time"  # datetime64[us, UTC]
    DATE = "date"  # a day, kept as its UTC midnight
    CENTS = "cents"  # integer cents, never negative
    COUNT = "count"  # integer, never negative
    NUMBER = "number"  # float
    FLAG = "flag"  # bool
    CONSENT = "consent"  # bool; null means unknown, and unknown is no consent
    HOUR = "hour"  # 0..23


DTYPES: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.ID: "str",
        Kind.TEXT: "str",
        Kind.ZONE: "str",
        Kind.TIME: "datetime64[us, UTC]",
        Kind.DATE: "datetime64[us, UTC]",
        Kind.CENTS: "Int64",
        Kind.COUNT: "Int64",
        Kind.NUMBER: "float64",
        Kind.FLAG: "bool",
        Kind.CONSENT: "boolean",
        Kind.HOUR: "Int64",
    }
)
"""The pandas dtype of each kind in a conformed frame."""


@dataclass(frozen=True)
class Column:
    """One column of a contract.

    Attributes:
        name: Name in the table.
        kind: What it holds.
        optional: The column may be absent and its values may be null.
        choices: The closed set of allowed values, where there is one.
        low: Smallest allowed value.
        high: Largest allowed value.
        refers_to: Table whose key this value must be found in.
    """

    name: str
    kind: Kind
    optional: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    refers_to: str | None = None


@dataclass(frozen=True)
class TableContract:
    """What a table must look like.

    Attributes:
        name: Name of the table, of the file and of the database table.
        columns: Its columns; further columns are kept and ignored.
        moment: Column with the row's own moment; empty where rows were always known.
        key: Columns that identify a row; empty where rows are events without identity.
        revised: Columns that hold the time of a later event and are null before it.
        corrected: A later row of the same key replaces an earlier one, from when it is known.
    """

    name: str
    columns: tuple[Column, ...]
    moment: str
    key: tuple[str, ...] = ()
    revised: tuple[str, ...] = ()
    corrected: bool = False

    @property
    def identity(self) -> tuple[str, ...]:
        """Columns by which a row that comes twice is known: its key, or else its `event_id`."""
        if self.key:
            return self.key
        return (EVENT_ID,) if any(column.name == EVENT_ID for column in self.columns) else ()

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")


def _id(name: str, *, of: str | None = None, optional: bool = False) -> Column:
    return Column(name, Kind.ID, optional=optional, refers_to=of)


def _time(name: str, *, optional: bool = False) -> Column:
    return Column(name, Kind.TIME, optional=optional)


def _text(name: str, *, optional: bool = False, choices: tuple[str, ...] = ()) -> Column:
    return Column(name, Kind.TEXT, optional=optional, choices=choices)


def _cents(name: str, *, optional: bool = False) -> Column:
    return Column(name, Kind.CENTS, optional=optional, low=0)


_CUSTOMER = _id("customer_id", of="customers")
_CHANNELS = tuple(Channel)
_WITH_EVENT_ID = frozenset({"activity", "surveys"})

_DECLARED = (
    TableContract(
        "customers",
        (
            _id("customer_id"),
            _time("signed_up_at"),
            _text("first_name", optional=True),
            _text("language"),
            Column("timezone", Kind.ZONE),
            _text("region", optional=True),
            _text("segment", optional=True),
            _text("preferred_channel", optional=True, choices=_CHANNELS),
            *(Column(f"consent_{channel}", Kind.CONSENT) for channel in Channel),
            *(Column(f"{MARKETING}{channel}", Kind.CONSENT, optional=True) for channel in Channel),
            Column("active_from_hour", Kind.HOUR, optional=True, low=0, high=23),
            Column("active_to_hour", Kind.HOUR, optional=True, low=0, high=23),
        ),
        moment="signed_up_at",
        key=("customer_id",),
    ),
    TableContract(
        "activity",
        (
            _CUSTOMER,
            _time("at"),
            _text("kind"),
            Column("value", Kind.NUMBER, optional=True),
            _text("item", optional=True),
            _text("location", optional=True),
            Column("latitude", Kind.NUMBER, optional=True, low=-90, high=90),
            Column("longitude", Kind.NUMBER, optional=True, low=-180, high=180),
        ),
        moment="at",
    ),
    TableContract(
        "orders",
        (
            _id("order_id"),
            _CUSTOMER,
            _text("tracking_id", optional=True),
            _time("ordered_at"),
            _time("promised_at", optional=True),
            _time("delivered_at", optional=True),
            _cents("amount_cents"),
        ),
        moment="ordered_at",
        key=("order_id",),
        revised=("delivered_at",),
    ),
    TableContract(
        "shipments",
        (_id("tracking_id"), _time("updated_at"), _time("estimated_at"), _text("status")),
        moment="updated_at",
        key=("tracking_id", "updated_at"),
    ),
    TableContract(
        "subscriptions",
        (
            _CUSTOMER,
            _time("valid_from"),
            _text("plan"),
            _cents("mrr_cents"),
            Column("plan_limit", Kind.NUMBER, optional=True, low=0),
            _text("status", choices=("active", "canceled")),
            Column("card_expires_on", Kind.DATE, optional=True),
            Column("upsell_shown", Kind.FLAG),
        ),
        moment="valid_from",
        key=("customer_id", "valid_from"),
    ),
    TableContract(
        "usage",
        (_CUSTOMER, _time("at"), Column("used", Kind.NUMBER, low=0)),
        moment="at",
        key=("customer_id", "at"),
    ),
    TableContract(
        "invoices",
        (
            _id("invoice_id"),
            _CUSTOMER,
            _time("issued_at"),
            _time("due_at"),
            _time("paid_at", optional=True),
            _cents("amount_cents"),
            Column("disputed", Kind.FLAG),
        ),
        moment="issued_at",
        key=("invoice_id",),
        revised=("paid_at",),
    ),
    TableContract(
        "tickets",
        (
            _id("ticket_id"),
            _CUSTOMER,
            _time("opened_at"),
            _time("resolved_at", optional=True),
            Column("escalated", Kind.FLAG),
            _text("topic", optional=True),
        ),
        moment="opened_at",
        key=("ticket_id",),
        revised=("resolved_at",),
    ),
    TableContract(
        "surveys",
        (_CUSTOMER, _time("at"), Column("nps", Kind.COUNT, low=0, high=10)),
        moment="at",
    ),
    TableContract(
        "prices",
        (_id("item"), _time("at"), _cents("price_cents")),
        moment="at",
        key=("item", "at"),
    ),
    TableContract(
        "disruptions",
        (
            _id("disruption_id"),
            _text("region"),
            _time("starts_at"),
            _time("ends_at", optional=True),
            _text("service"),
        ),
        moment="starts_at",
        key=("disruption_id",),
        revised=("ends_at",),
    ),
    TableContract(
        "messages",
        (
            _id("message_id"),
            _id("decision_id"),
            _CUSTOMER,
            _text("trigger", choices=tuple(Trigger)),
            _text("channel", choices=_CHANNELS),
            _text("variant", optional=True),
            _time("sent_at"),
            _text("arm", choices=tuple(Arm)),
            Column("propensity", Kind.NUMBER, low=0, high=1),
            Column("cost_cents", Kind.NUMBER, low=0),
            _id("case_key", optional=True),
        ),
        moment="sent_at",
        key=("message_id",),
    ),
    # What was decided, a decision not to write included: nothing else tells whom chance left alone.
    TableContract(
        "decisions",
        (
            _id("decision_id"),
            _CUSTOMER,
            _text("trigger", choices=tuple(Trigger)),
            _time("decided_at"),
            _text("arm", choices=tuple(Arm)),
            _text("channel", optional=True, choices=_CHANNELS),
            *(Column(f"p_{channel}", Kind.NUMBER, low=0, high=1) for channel in Channel),
        ),
        moment="decided_at",
        key=("decision_id",),
    ),
    TableContract(
        "outcomes",
        (
            _id("message_id", of="messages"),
            _text("outcome", choices=tuple(Outcome)),
            _time("at"),
            _cents("value_cents", optional=True),
            Column("machine", Kind.FLAG),
        ),
        moment="at",
    ),
    TableContract(
        "inbound",
        (
            _id("inbound_id"),
            _time("at"),
            _id("customer_id", of="customers", optional=True),
            _text("source"),
            _text("branch", optional=True),
            _text("text"),
        ),
        moment="at",
        key=("inbound_id",),
    ),
    # Vendors carry no time of their own: they are known from the first moment.
    TableContract(
        "vendors",
        (
            _id("vendor_id"),
            _text("kind"),
            _text("name"),
            _text("region"),
            Column("rating", Kind.NUMBER, low=0),
            Column("eta_minutes", Kind.NUMBER, low=0),
            Column("whatsapp", Kind.FLAG),
            _cents("rate_cents"),
        ),
        moment="",
        key=("vendor_id",),
    ),
)


def _complete(contract: TableContract) -> TableContract:
    """The contract with the columns that all tables of its kind have."""
    if not contract.moment or contract.name == "messages":  # we write those ourselves, once
        return contract
    columns = contract.columns
    if contract.name in _WITH_EVENT_ID:
        columns = (*columns, _id(EVENT_ID, optional=True))
    columns = (*columns, _time(KNOWN_AT, optional=True))
    return replace(contract, columns=columns, corrected=bool(contract.key))


CONTRACTS: Mapping[str, TableContract] = MappingProxyType(
    {contract.name: _complete(contract) for contract in _DECLARED}
)
"""Every table by name, in the order in which one reads them."""
