"""Tokens of calls, measured on the prompts that would be asked and on texts that ship."""

from collections.abc import Iterable, Sequence
from datetime import date
from math import ceil

from serving.copy.brief import Brand, Brief, Offer
from serving.copy.draft import Draft
from serving.copy.library import Library
from serving.copywriter.briefing import CellChoice, list_briefs
from serving.copywriter.costs import TokenAssumptions, count_roughly
from serving.copywriter.from_templates import draft_from_templates
from serving.copywriter.judge import CriterionVerdict, TextVerdict, make_judge_question
from serving.copywriter.prompts import make_variants_prompt
from serving.copywriter.rubrics import default_rubrics
from serving.copywriter.rules import DraftingRules

_REASON = "x" * 90  # fifteen words, as the judge is told


def measure_tokens(
    *, rules: DraftingRules, brand: Brand, offers: Sequence[Offer], library: Library, today: date
) -> TokenAssumptions:
    """Means over every trigger, channel and language; of shared parts the longest.

    Replies are counted on the texts that ship, as if they were answers. What a model thinks is
    not known before it has thought: that stays an assumption.

    Args:
        rules: Tones, segments and numbers.
        brand: Whose voice; it stands in the shared part.
        offers: What may be promised.
        library: The texts that ship.
        today: For the offers' ends.
    """
    briefs = list_briefs(
        CellChoice(), rules=rules, brand=brand, offers=offers, library=library, today=today
    )
    prompts = [make_variants_prompt(brief) for brief in briefs]
    drafts = [draft_from_templates(brief, library=library) for brief in briefs]
    texts = [draft for siblings in drafts for draft in siblings]
    judged = [
        make_judge_question(siblings, brief=brief, seed=0).prompt
        for brief, siblings in zip(briefs, drafts, strict=True)
    ]
    return TokenAssumptions(
        system=max(count_roughly(prompt.system) for prompt in prompts),
        user=_mean(prompt.user for prompt in prompts),
        variant=_mean(_write_answer(draft) for draft in texts),
        message=_mean(_write_message(draft) for draft in texts),
        judge_system=max(count_roughly(prompt.system) for prompt in judged),
        judge_reply=_mean(_write_verdict(brief) for brief in briefs),
    )


def _mean(texts: Iterable[str]) -> int:
    counts = [count_roughly(text) for text in texts]
    return ceil(sum(counts) / len(counts))


def _write_answer(draft: Draft) -> str:
    parts = {"angle", "title", "preheader", "body", "cta"}
    return draft.model_dump_json(include=parts, exclude_none=True)


def _write_message(draft: Draft) -> str:
    pieces = [piece for piece in (draft.title, draft.preheader, *draft.body) if piece is not None]
    return "\n".join([*(piece.facts for piece in pieces), draft.cta])


def _write_verdict(brief: Brief) -> str:
    criteria = default_rubrics().tones[brief.tone]
    scores = [CriterionVerdict(criterion=name, score=3, reason=_REASON) for name in criteria]
    return TextVerdict(label="A", scores=scores).model_dump_json()
