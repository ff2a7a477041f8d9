"""Who approved words, as a transaction sees it."""

from collections.abc import Iterable

from sqlalchemy import Connection, and_, bindparam, select

from serving.copy.stored import Deed
from serving.store.lots import in_json_lots, is_listed
from serving.store.schema import copy_events, copy_variants

_APPROVALS = (
    select(copy_variants.c.variant_id, copy_events.c.by)
    .outerjoin(
        copy_events,
        and_(
            copy_events.c.variant_id == copy_variants.c.variant_id,
            copy_events.c.what == bindparam("approved"),
        ),
    )
    .where(is_listed(copy_variants.c.variant_id, "names"))
    .order_by(copy_events.c.event_id)
)


def find_approvers(connection: Connection, variant_ids: Iterable[str]) -> dict[str, str | None]:
    """Who approved each stored variant last; None: nobody did. Texts that ship are left out."""
    found: dict[str, str | None] = {}
    for names in in_json_lots(variant_ids):
        given = {"names": names, "approved": Deed.APPROVED.value}
        found |= {one.variant_id: one.by for one in connection.execute(_APPROVALS, given)}
    return found
