"""Prompts, as versioned data: rules and brand in the part that is cached, the cell in the other."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serving.copy.brief import Brief
from serving.copy.draft import Draft
from serving.copy.guard.faults import Fault
from serving.copywriter.answers import VariantsAnswer, shape_for
from serving.copywriter.reply import Prompt
from serving.policy.settings import read_settings_file

_SHIPPED = Path(__file__).with_name("prompts.yaml")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class VariantsPrompt(_Frozen):
    """How variants of a cell are asked for.

    Attributes:
        name: Kind and version.
        max_tokens: Of the reply.
        angles: What sets variants apart, by the name that becomes their style.
        system: The rules.
        again: How drafts with faults are asked for again.
    """

    name: Annotated[str, Field(pattern=r"^[a-z_]+/\d+$")]
    max_tokens: Annotated[int, Field(ge=500)]
    angles: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")], str]
    system: str
    again: str


class OneOffPrompt(_Frozen):
    """How a single message is asked for."""

    name: Annotated[str, Field(pattern=r"^[a-z_]+/\d+$")]
    max_tokens: Annotated[int, Field(ge=500)]
    system: str


class Prompts(_Frozen):
    """All of them."""

    variants: VariantsPrompt
    one_off: OneOffPrompt


@cache
def load_prompts() -> Prompts:
    """The prompts that ship."""
    return read_settings_file(_SHIPPED, Prompts, what="prompts")


def make_variants_prompt(brief: Brief) -> Prompt[VariantsAnswer]:
    """The question for the variants of a cell.

    Everything that a company wrote stands in JSON: a voice or a note is data, not an instruction.
    """
    return _ask(brief, {"wanted": brief.n_variants})


def make_again_prompt(
    brief: Brief, faulty: Sequence[tuple[Draft, Sequence[Fault]]]
) -> Prompt[VariantsAnswer]:
    """The question for better ones in place of drafts with faults."""
    prompts = load_prompts().variants
    refused = [
        {
            "draft": draft.model_dump(
                mode="json", include={"angle", "title", "preheader", "body", "cta"}
            ),
            "faults": [str(fault) for fault in faults],
        }
        for draft, faults in faulty
    ]
    more = {"wanted": len(refused), "note": prompts.again.strip(), "refused": refused}
    return _ask(brief, more)


def make_one_off_prompt(
    brief: Brief, *, matter: str, quotes: Sequence[str]
) -> Prompt[VariantsAnswer]:
    """The question for a single message.

    Args:
        brief: Of it; one variant.
        matter: What it is about, in the company's own words.
        quotes: The customer's, masked (`mask_quotes`): they stand in JSON, in this part alone.
    """
    one_off = load_prompts().one_off
    more = {"wanted": 1, "matter": matter, "quotes": list(quotes)}
    asked = _ask(brief, more, rules=one_off.system)
    return replace(asked, name=one_off.name, max_tokens=one_off.max_tokens)


def _ask(brief: Brief, more: dict[str, object], *, rules: str = "") -> Prompt[VariantsAnswer]:
    prompts = load_prompts().variants
    brand = brief.brand
    voice = {
        "brand": brand.name,
        "voice": brand.voice,
        "never_say": list(brand.forbidden),
        "emoji": brand.emoji,
        "sounds_right": list(brand.examples),
    }
    cell = {
        "trigger": brief.trigger.value,
        "kind": "service notice" if brief.trigger.is_service else "marketing",
        "channel": brief.channel.value,
        "language": brief.language,
        "tone": brief.tone.value,
        "readers": brief.notes or "everybody",
        "slots": [slot.model_dump(mode="json", exclude_none=True) for slot in brief.slots],
        "offer": brief.offers[0].words[brief.language] if brief.offers else None,
        "max_sms_parts": brief.max_segments,
        "angles": prompts.angles,
    }
    return Prompt(
        name=prompts.name,
        system=f"{prompts.system}\n{rules}\nThe brand:\n{_to_json(voice)}",
        user=f"The task:\n{_to_json({**cell, **more})}",
        answer=shape_for(brief.channel),
        max_tokens=prompts.max_tokens,
    )


def _to_json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1)
