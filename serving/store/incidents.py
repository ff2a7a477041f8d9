"""Incidents: something is wrong for a region or for some customers, and their marketing rests."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from features.errors import BadInputError, ConflictError
from serving.store.lots import in_json_lots, is_listed
from serving.store.schema import incident_customers, incidents

_ALL = select(
    incidents.c.incident_id, incidents.c.region, incidents.c.starts_at_us, incidents.c.ends_at_us
).order_by(incidents.c.starts_at_us, incidents.c.incident_id)
_OPEN_SINCE = _ALL.where(
    or_(incidents.c.ends_at_us.is_(None), incidents.c.ends_at_us > bindparam("since_us"))
)
_ONE = _ALL.where(incidents.c.incident_id == bindparam("incident_id"))
_TOUCHED = select(incident_customers.c.incident_id, incident_customers.c.customer_id).where(
    is_listed(incident_customers.c.incident_id, "incidents"),
    is_listed(incident_customers.c.customer_id, "customers"),
)
_EVERYBODY_TOUCHED = select(incident_customers.c.incident_id, incident_customers.c.customer_id)
_CLOSE = (
    update(incidents)
    .where(incidents.c.incident_id == bindparam("of_incident"))
    .values(ends_at_us=bindparam("until_us"))
)


@dataclass(frozen=True)
class Incident:
    """What is wrong, for whom, and how long.

    Attributes:
        incident_id: Its identity.
        region: Whom it touches, by the region in `customers`; None: the customers one by one.
        starts_at_us: First moment.
        ends_at_us: First moment after it; None while it is open.
        customer_ids: Whom it touches one by one, of those that were asked for.
    """

    incident_id: str
    region: str | None
    starts_at_us: int
    ends_at_us: int | None = None
    customer_ids: frozenset[str] = frozenset()

    def touches(self, customer_id: str, *, region: str | None) -> bool:
        """Whether it touches that customer of that region."""
        return customer_id in self.customer_ids or (
            self.region is not None and self.region == region
        )


class IncidentBook:
    """The part of a transaction that is about incidents."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def find(self, customer_ids: Sequence[str], *, since_us: int) -> list[Incident]:
        """Incidents that are open or end after that moment, with whom of these they touch."""
        rows = self._connection.execute(_OPEN_SINCE, {"since_us": since_us}).all()
        if not rows:
            return []
        touched: dict[str, set[str]] = {row.incident_id: set() for row in rows}
        named = json.dumps(list(touched))
        for lot in in_json_lots(customer_ids):
            asked = {"incidents": named, "customers": lot}
            for incident_id, customer_id in self._connection.execute(_TOUCHED, asked):
                touched[incident_id].add(customer_id)
        return [
            Incident(*row[:4], customer_ids=frozenset(touched[row.incident_id])) for row in rows
        ]

    def find_one(self, incident_id: str) -> Incident | None:
        """The incident of that identity, with all the customers it touches one by one, or None."""
        row = self._connection.execute(_ONE, {"incident_id": incident_id}).first()
        if row is None:
            return None
        wanted = select(incident_customers.c.customer_id).where(
            incident_customers.c.incident_id == incident_id
        )
        return Incident(*row, customer_ids=frozenset(self._connection.execute(wanted).scalars()))

    def find_all(self) -> list[Incident]:
        """Every incident, with all the customers it touches one by one."""
        rows = self._connection.execute(_ALL).all()
        touched: dict[str, set[str]] = {row.incident_id: set() for row in rows}
        for incident_id, customer_id in self._connection.execute(_EVERYBODY_TOUCHED):
            touched[incident_id].add(customer_id)
        return [Incident(*row, customer_ids=frozenset(touched[row.incident_id])) for row in rows]

    def open(
        self,
        incident_id: str,
        *,
        starts_at_us: int,
        region: str | None = None,
        customer_ids: Iterable[str] = (),
        ends_at_us: int | None = None,
    ) -> None:
        """Keep a new incident.

        Raises:
            BadInputError: It touches nobody, or ends before it starts.
            ConflictError: There is another of that identity.
        """
        touched = sorted(set(customer_ids))
        if region is None and not touched:
            raise BadInputError(f"incident {incident_id}: expected a region or customers")
        if ends_at_us is not None and ends_at_us <= starts_at_us:
            raise BadInputError(f"incident {incident_id}: expected an end after its start")
        if self._connection.execute(_ONE, {"incident_id": incident_id}).first() is not None:
            raise ConflictError(f"incident {incident_id} is there already")
        row = {
            "incident_id": incident_id,
            "region": region,
            "starts_at_us": starts_at_us,
            "ends_at_us": ends_at_us,
        }
        self._connection.execute(insert(incidents), row)
        if touched:
            self._connection.execute(
                insert(incident_customers),
                [{"incident_id": incident_id, "customer_id": one} for one in touched],
            )

    def close(self, incident_id: str, *, at_us: int) -> None:
        """End an incident at that moment, which may be before an end that was told.

        Raises:
            BadInputError: There is no such incident, or it began later.
            ConflictError: It has ended before that moment already.
        """
        row = self._connection.execute(_ONE, {"incident_id": incident_id}).first()
        if row is None:
            raise BadInputError(f"incident {incident_id}: there is none of that identity")
        if row.ends_at_us is not None and row.ends_at_us < at_us:
            raise ConflictError(f"incident {incident_id} has ended already")
        if at_us <= row.starts_at_us:
            raise BadInputError(f"incident {incident_id}: expected an end after its start")
        self._connection.execute(_CLOSE, {"of_incident": incident_id, "until_us": at_us})
