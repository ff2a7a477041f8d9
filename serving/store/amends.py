"""What was done about incidents: vendors asked, credits given, causes that a human confirmed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, bindparam, select, update

from features.errors import BadInputError
from serving.policy.cases import from_us, to_us
from serving.store.amends_schema import (
    asked_closings,
    confirmed_causes,
    given_credits,
    vendor_asks,
)
from serving.store.engine import count_added, insert_into

_ASKS = (
    select(vendor_asks)
    .where(vendor_asks.c.subject == bindparam("subject"))
    .order_by(vendor_asks.c.asked_at_us, vendor_asks.c.ask_id)
)
_SET_ASK = (
    update(vendor_asks)
    .where(vendor_asks.c.subject == bindparam("of_subject"))
    .where(vendor_asks.c.vendor_id == bindparam("of_vendor"))
)
_CREDITS = (
    select(given_credits)
    .where(given_credits.c.subject == bindparam("subject"))
    .order_by(given_credits.c.issued_at_us, given_credits.c.customer_id)
)
_CLOSING = select(asked_closings).where(asked_closings.c.subject == bindparam("subject"))
_CAUSE = select(confirmed_causes).where(confirmed_causes.c.subject == bindparam("subject"))


class AskState(StrEnum):
    """Where it stands with a vendor."""

    ASKED = "asked"
    OFFERED = "offered"  # yes, with a price and a time
    REFUSED = "refused"
    SILENT = "silent"
    BOOKED = "booked"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class VendorAsk:
    """A vendor that was asked to come.

    Attributes:
        ask_id: The action by which it was asked.
        subject: The incident's workflow.
        price_cents: What it wants; None until it said so.
        eta_minutes: From its answer on; None until it said so.
    """

    ask_id: str
    subject: str
    vendor_id: str
    vendor_name: str
    state: AskState
    asked_at: datetime
    answered_at: datetime | None = None
    price_cents: int | None = None
    eta_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class IssuedCredit:
    """What a customer was given.

    Attributes:
        credit_id: The action by which it was issued.
        revoked_at: From then on it is worth nothing; None: it holds.
    """

    credit_id: str
    subject: str
    customer_id: str
    code: str
    amount_cents: int
    currency: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConfirmedCause:
    """Why it was so."""

    subject: str
    cause: str
    by: str
    at: datetime


class AmendsBook:
    """The part of a transaction that is about what was done."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def ask(self, ask: VendorAsk) -> bool:
        """Keep that a vendor is asked; False: it was asked about that incident already."""
        row = {
            "ask_id": ask.ask_id,
            "subject": ask.subject,
            "vendor_id": ask.vendor_id,
            "vendor_name": ask.vendor_name,
            "state": ask.state.value,
            "asked_at_us": to_us(ask.asked_at),
        }
        add = insert_into(self._connection.dialect.name, vendor_asks).on_conflict_do_nothing()
        return count_added(self._connection, add, row) == 1

    def find_asks(self, subject: str) -> list[VendorAsk]:
        """Vendors that were asked about an incident, the first one first."""
        found = self._connection.execute(_ASKS, {"subject": subject}).mappings()
        return [_read_ask(row) for row in found]

    def find_ask(self, subject: str, vendor_id: str) -> VendorAsk | None:
        """How it stands with one vendor; None: it was not asked."""
        return next((a for a in self.find_asks(subject) if a.vendor_id == vendor_id), None)

    def set_ask(
        self,
        subject: str,
        vendor_id: str,
        *,
        state: AskState,
        at: datetime | None = None,
        price_cents: int | None = None,
        eta_minutes: int | None = None,
    ) -> None:
        """Change where it stands with a vendor; what is not told stays.

        Raises:
            BadInputError: Nobody asked it.
        """
        values: dict[str, str | int] = {"state": state.value}
        if at is not None:
            values["answered_at_us"] = to_us(at)
        if price_cents is not None:
            values["price_cents"] = price_cents
        if eta_minutes is not None:
            values["eta_minutes"] = eta_minutes
        named = {"of_subject": subject, "of_vendor": vendor_id}
        if self._connection.execute(_SET_ASK.values(**values), named).rowcount != 1:
            raise BadInputError(f"{subject}: nobody asked vendor {vendor_id!r}")

    def issue(self, credit: IssuedCredit) -> IssuedCredit:
        """Give a credit once per incident and customer; the one that holds, old or new."""
        row = {
            "credit_id": credit.credit_id,
            "subject": credit.subject,
            "customer_id": credit.customer_id,
            "code": credit.code,
            "amount_cents": credit.amount_cents,
            "currency": credit.currency,
            "issued_at_us": to_us(credit.issued_at),
            "expires_at_us": to_us(credit.expires_at),
        }
        add = insert_into(self._connection.dialect.name, given_credits).values(**row)
        self._connection.execute(
            add.on_conflict_do_nothing(index_elements=["subject", "customer_id"])
        )
        held = self.find_credits(credit.subject)
        return next(one for one in held if one.customer_id == credit.customer_id)

    def find_credits(self, subject: str) -> list[IssuedCredit]:
        """Credits of an incident, revoked ones too."""
        found = self._connection.execute(_CREDITS, {"subject": subject}).mappings()
        return [_read_credit(row) for row in found]

    def revoke(self, credit_id: str, *, at: datetime) -> None:
        """A credit is worth nothing from now on; one that is not there, or is revoked, stays so."""
        change = update(given_credits).where(given_credits.c.credit_id == credit_id)
        change = change.where(given_credits.c.revoked_at_us.is_(None))
        self._connection.execute(change.values(revoked_at_us=to_us(at)))

    def confirm_cause(self, cause: ConfirmedCause) -> None:
        """Why it was so; a later word replaces an earlier one."""
        row = {
            "subject": cause.subject,
            "cause": cause.cause,
            "by": cause.by,
            "at_us": to_us(cause.at),
        }
        put = insert_into(self._connection.dialect.name, confirmed_causes).values(**row)
        changed = {name: put.excluded[name] for name in ("cause", "by", "at_us")}
        self._connection.execute(
            put.on_conflict_do_update(index_elements=["subject"], set_=changed)
        )

    def find_cause(self, subject: str) -> ConfirmedCause | None:
        """The cause that a human confirmed, or None."""
        row = self._connection.execute(_CAUSE, {"subject": subject}).first()
        if row is None:
            return None
        return ConfirmedCause(subject, row.cause, row.by, from_us(row.at_us))

    def ask_to_close(self, subject: str, *, by: str, at: datetime) -> None:
        """A human wants the incident closed; the first word stays."""
        row = {"subject": subject, "by": by, "at_us": to_us(at)}
        add = insert_into(self._connection.dialect.name, asked_closings).values(**row)
        self._connection.execute(add.on_conflict_do_nothing())

    def find_closing(self, subject: str) -> str | None:
        """Who wants the incident closed; None: nobody said so."""
        row = self._connection.execute(_CLOSING, {"subject": subject}).first()
        return None if row is None else str(row.by)


def _read_ask(cells: RowMapping) -> VendorAsk:
    answered = cells["answered_at_us"]
    return VendorAsk(
        ask_id=cells["ask_id"],
        subject=cells["subject"],
        vendor_id=cells["vendor_id"],
        vendor_name=cells["vendor_name"],
        state=AskState(cells["state"]),
        asked_at=from_us(cells["asked_at_us"]),
        answered_at=None if answered is None else from_us(answered),
        price_cents=cells["price_cents"],
        eta_minutes=cells["eta_minutes"],
    )


def _read_credit(cells: RowMapping) -> IssuedCredit:
    revoked = cells["revoked_at_us"]
    return IssuedCredit(
        credit_id=cells["credit_id"],
        subject=cells["subject"],
        customer_id=cells["customer_id"],
        code=cells["code"],
        amount_cents=cells["amount_cents"],
        currency=cells["currency"],
        issued_at=from_us(cells["issued_at_us"]),
        expires_at=from_us(cells["expires_at_us"]),
        revoked_at=None if revoked is None else from_us(revoked),
    )
