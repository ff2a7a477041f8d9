"""What is asked of the store about stored variants."""

from sqlalchemy import bindparam, func, select

from serving.copy.stored import VariantState
from serving.store.lots import is_listed
from serving.store.schema import (
    cancellations,
    copy_briefs,
    copy_cells,
    copy_events,
    copy_variants,
    messages,
)

ALL = (
    select(copy_variants, copy_briefs.c.brief)
    .join(copy_briefs, copy_briefs.c.brief_digest == copy_variants.c.brief_digest)
    .order_by(copy_variants.c.created_at_us, copy_variants.c.variant_id)
)
ONE = ALL.where(copy_variants.c.variant_id == bindparam("variant_id"))
SOME = ALL.where(is_listed(copy_variants.c.variant_id, "names"))
NAMES = (
    select(copy_variants.c.variant_id)
    .where(copy_variants.c.state == VariantState.APPROVED.value)
    .order_by(copy_variants.c.variant_id)
)
HISTORIES = (
    select(copy_events)
    .where(is_listed(copy_events.c.variant_id, "names"))
    .order_by(copy_events.c.event_id)
)
VERSION = select(func.coalesce(func.max(copy_events.c.event_id), 0)).where(
    copy_events.c.changes_served
)
DRAFTED = (
    select(copy_cells.c.cell_key)
    .where(copy_cells.c.outcome == "ok", is_listed(copy_cells.c.cell_key, "keys"))
    .distinct()
)
SPENT = select(func.coalesce(func.sum(copy_cells.c.cost_usd), 0.0))
N_SENT = (
    select(messages.c.variant, func.count())
    .where(messages.c.sent_at_us >= bindparam("since_us"))
    .where(messages.c.sent_at_us < bindparam("until_us"))
    .where(is_listed(messages.c.variant, "names"))
    .where(
        ~select(cancellations.c.message_id)
        .where(cancellations.c.message_id == messages.c.message_id)
        .exists()
    )
    .group_by(messages.c.variant)
)
TALLIES = (
    select(
        copy_variants.c.trigger,
        copy_variants.c.channel,
        copy_variants.c.language,
        copy_variants.c.segment,
        copy_variants.c.state,
        func.count().label("n"),
        func.max(copy_variants.c.score).label("best_score"),
    )
    .group_by(
        copy_variants.c.trigger,
        copy_variants.c.channel,
        copy_variants.c.language,
        copy_variants.c.segment,
        copy_variants.c.state,
    )
    .order_by(
        copy_variants.c.trigger,
        copy_variants.c.channel,
        copy_variants.c.language,
        func.coalesce(copy_variants.c.segment, ""),
        copy_variants.c.state,
    )
)
N_IN = select(func.count()).where(copy_variants.c.state == bindparam("state"))
