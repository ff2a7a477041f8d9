"""Which drafts need nobody's answer: a rule, as data."""

from serving.copy.stored import Source, StoredVariant, VariantState
from serving.copywriter.rules import Approval, Scope

MUST_BE_NAMED = frozenset({"kk"})
"""Languages whose quality nobody has measured: a native speaker approves them unless a company
says otherwise by name."""

BY_RULE = "rule auto_if_clean"


def approves(approval: Approval, stored: StoredVariant) -> bool:
    """Whether the rule approves a draft by itself: it has no faults, and its cell is named."""
    if approval.rule == "manual" or stored.state is not VariantState.DRAFT or stored.faults:
        return False
    # What was laid out of our own templates tries the way; it is no text that anybody asked for.
    if stored.source is Source.TEMPLATE:
        return False
    return any(_names(scope, stored) for scope in approval.auto)


def _names(scope: Scope, stored: StoredVariant) -> bool:
    draft = stored.draft
    is_language = draft.language in scope.languages or (
        not scope.languages and draft.language not in MUST_BE_NAMED
    )
    return (
        is_language
        and (not scope.triggers or draft.trigger in scope.triggers)
        and (not scope.channels or draft.channel in scope.channels)
    )
