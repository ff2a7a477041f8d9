"""What is posted to `/events`, and what is answered."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from features.contracts import CONTRACTS, EVENT_ID
from features.evidence import Scalar
from features.vocabulary import Tier, Trigger, Urgency
from serving.online.facts import TABLES_OF_EVENTS, ReadRow, read_row
from serving.records import Key, UtcDatetime

_MOST_EVENTS = 1000


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Event(_Frozen):
    """A row of a table, as in the contracts of the tables.

    Attributes:
        table: Its table; every one whose rows have a moment.
        row: Its cells by column, times in ISO 8601 with their zone; what is left out is null.
            `known_at` is not taken: a row is known from when it arrives.
        event_id: Tells that an event is the same one again; goes into the row's own `event_id`
            where its table has that column.
    """

    table: str = Field(json_schema_extra={"enum": list(TABLES_OF_EVENTS)})
    row: dict[str, str | int | float | bool | None]
    event_id: Key | None = None

    _read: ReadRow = PrivateAttr()

    @model_validator(mode="after")
    def _fits_its_contract(self) -> "Event":
        given = dict(self.row)
        contract = CONTRACTS.get(self.table)
        has_own = contract is not None and any(c.name == EVENT_ID for c in contract.columns)
        if has_own and self.event_id is not None:
            if given.get(EVENT_ID) not in (None, self.event_id):
                raise ValueError("row.event_id and event_id differ; expected one of them")
            given[EVENT_ID] = self.event_id
        self._read = read_row(self.table, given)
        if self._read.faults:
            raise ValueError("; ".join(self._read.faults))
        return self

    @property
    def cells(self) -> ReadRow:
        """The row as the log keeps it."""
        return self._read


class EventReport(_Frozen):
    """Facts as they happen: all of them are taken, or none.

    Attributes:
        events: Rows in the order in which they became known.
        known_at: When the first became known, the others microseconds later; only where the
            service runs on the caller's clock (rehearsals).
        find_triggers: Whether to look for triggers of the customers they are about.
    """

    events: list[Event] = Field(min_length=1, max_length=_MOST_EVENTS)
    known_at: UtcDatetime | None = None
    find_triggers: bool = True


class EventState(StrEnum):
    """What became of a posted event."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"  # it was told before; nothing changed
    KEPT = "kept"  # about somebody, or something, not known yet: it counts as soon as they are


class FoundTrigger(_Frozen):
    """A reason to write to a customer, as `opportune triggers` finds it.

    Attributes:
        customer_id: To whom.
        trigger: Why.
        subject: What it is about.
        urgency: Of late deliveries.
        evidence: Facts for the text, complete or empty.
        idempotency_key: Of a request to `/decide` about it: one problem is decided once.
        expires_at: When there is no point in telling it any more; null where it does not expire.
    """

    customer_id: str
    trigger: Trigger
    subject: str
    urgency: Urgency | None
    evidence: dict[str, Scalar]
    idempotency_key: str
    expires_at: UtcDatetime | None = None


class Rescored(_Frozen):
    """The churn risk of a customer after the events; null where they are gone already."""

    customer_id: str
    p_churn: float | None
    risk_score: float | None
    tier: Tier | None


class EventReceipt(_Frozen):
    """What became of the events, and what follows for the customers they are about.

    Attributes:
        states: One per event, in order.
        known_at: When the last of them became known; ask for decisions as of a later moment.
        churn: Customers scored anew; none without a churn model.
        triggers: Everything that these customers should hear now.
    """

    states: list[EventState]
    known_at: UtcDatetime
    churn: list[Rescored]
    triggers: list[FoundTrigger]
