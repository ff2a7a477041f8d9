"""Stored variants as rows, and rows as variants."""

import json
from typing import Any

from sqlalchemy import Row

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brief
from serving.copy.draft import Draft
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.stored import (
    CellRecord,
    Deed,
    Source,
    StoredVariant,
    Tally,
    VariantEvent,
    VariantState,
)
from serving.policy.cases import from_us, to_us


def write_variant(one: StoredVariant) -> dict[str, object]:
    """A row of `copy_variants`."""
    draft = one.draft
    return {
        "variant_id": one.variant_id,
        "state": one.state.value,
        "trigger": draft.trigger.value,
        "channel": draft.channel.value,
        "language": draft.language,
        "segment": draft.segment,
        "draft": draft.model_dump_json(),
        "faults": json.dumps(
            [[fault.code, fault.place, fault.found, fault.expected] for fault in one.faults],
            ensure_ascii=False,
        ),
        "source": one.source.value,
        "model": one.model,
        "prompt_name": one.prompt_name,
        "brief_digest": one.brief_digest,
        "cell_key": one.cell_key,
        "cost_usd": one.cost_usd,
        "created_at_us": to_us(one.created_at),
        "score": one.score,
        "prior_shift": one.prior_shift,
        "prior_left": one.prior_left,
        "version": one.version,
    }


def write_brief(one: StoredVariant) -> dict[str, object]:
    """A row of `copy_briefs`."""
    return {"brief_digest": one.brief_digest, "brief": one.brief.model_dump_json()}


def read_variant(row: Row[Any]) -> StoredVariant:
    """A row of `copy_variants` with its brief."""
    return StoredVariant(
        variant_id=row.variant_id,
        draft=Draft.model_validate_json(row.draft),
        state=VariantState(row.state),
        faults=tuple(
            Fault(FaultCode(code), place, found, expected)
            for code, place, found, expected in json.loads(row.faults)
        ),
        source=Source(row.source),
        model=row.model,
        prompt_name=row.prompt_name,
        brief=Brief.model_validate_json(row.brief),
        brief_digest=row.brief_digest,
        cell_key=row.cell_key,
        cost_usd=row.cost_usd,
        created_at=from_us(row.created_at_us),
        score=row.score,
        prior_shift=row.prior_shift,
        prior_left=row.prior_left,
        version=row.version,
    )


def read_event(row: Row[Any]) -> VariantEvent:
    """A row of `copy_events`."""
    return VariantEvent(row.variant_id, from_us(row.at_us), row.by, Deed(row.what), row.note)


def read_tally(row: Row[Any]) -> Tally:
    """A row of what is counted by cell and state."""
    return Tally(
        trigger=Trigger(row.trigger),
        channel=Channel(row.channel),
        language=row.language,
        segment=row.segment,
        state=VariantState(row.state),
        n=row.n,
        best_score=row.best_score,
    )


def write_cell(record: CellRecord) -> dict[str, object]:
    """A row of `copy_cells`."""
    return {
        "cell_key": record.cell_key,
        "at_us": to_us(record.at),
        "outcome": record.outcome,
        "detail": record.detail,
        "model": record.model,
        "prompt_name": record.prompt_name,
        "cost_usd": record.cost_usd,
        "n_drafts": record.n_drafts,
    }
