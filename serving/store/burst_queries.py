"""What is asked of the store about incidents and their complaints."""

from functools import cache

from sqlalchemy import Insert, bindparam, select, update

from serving.store.engine import insert_into
from serving.store.inbound_schema import burst_complaints, bursts
from serving.store.lots import is_listed

NEWEST_FIRST = select(bursts).order_by(bursts.c.seen_us.desc(), bursts.c.incident_id)
ONE = select(bursts).where(bursts.c.incident_id == bindparam("incident_id"))
COMPLAINTS = (
    select(burst_complaints)
    .where(is_listed(burst_complaints.c.incident_id, "ids"))
    .order_by(burst_complaints.c.at_us, burst_complaints.c.inbound_id)
)
END = (
    update(bursts)
    .where(bursts.c.incident_id == bindparam("of_incident"), bursts.c.ended_us.is_(None))
    .values(ended_us=bindparam("at_us"), end_reason=bindparam("reason"))
)
MOVE = (
    update(bursts)
    .where(bursts.c.incident_id == bindparam("of_incident"))
    .values(state=bindparam("to_state"), state_us=bindparam("at_us"))
)
RELINK = (
    update(bursts)
    .where(bursts.c.incident_id == bindparam("of_incident"))
    .values(links=bindparam("to_links"))
)
REPORT = (
    update(bursts)
    .where(bursts.c.incident_id == bindparam("of_incident"))
    .values(report=bindparam("words"))
)


@cache
def add_burst(dialect: str) -> Insert:
    """Adds an incident; nothing where it is there."""
    return insert_into(dialect, bursts).on_conflict_do_nothing()


@cache
def add_complaints(dialect: str) -> Insert:
    """Adds a complaint of an incident; nothing where it is there."""
    return insert_into(dialect, burst_complaints).on_conflict_do_nothing()
