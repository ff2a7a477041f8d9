"""One message to one customer, written live and off the hot path; else in the words that ship.

The model writes it as it writes variants, with slots: it never sees the customer's facts, and is
shown their words only masked, as data. The program fills the slots, and the final text is checked
against the facts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from features.errors import BadInputError
from features.evidence import Evidence, find_evidence_faults
from features.vocabulary import Channel
from serving.copy.brief import Brief
from serving.copy.content import Content, Unrenderable
from serving.copy.draft import Draft
from serving.copy.drafted import compile_draft, variant_id_of
from serving.copy.guard.check import check_draft, check_text
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.marker import ai_marker
from serving.copy.guard.rendered import ground_variant
from serving.copy.library import Library
from serving.copy.render import render
from serving.copy.settings import CopySettings
from serving.copy.wordings import Piece
from serving.copywriter.answers import read_drafts
from serving.copywriter.asker import Asker
from serving.copywriter.prompts import make_one_off_prompt
from serving.copywriter.quotes import mask_quotes
from serving.copywriter.reply import Failure, Usage, WriterOutcome


@dataclass(frozen=True)
class Recipient:
    """To whom it goes; nothing of it is shown to a model.

    Attributes:
        first_name: For the greeting; null when it is not known.
        timezone: IANA; null for UTC.
    """

    first_name: str | None = None
    timezone: str | None = None


@dataclass(frozen=True)
class Sender:
    """Who writes.

    Attributes:
        settings: Name, currency and links.
        library: The words that ship.
        needs_marker: Whether a text by a model says that AI helped to write it.
    """

    settings: CopySettings
    library: Library
    needs_marker: bool = True


@dataclass(frozen=True)
class OneOff:
    """A message that can be sent.

    Attributes:
        content: Its words; never empty.
        source: Who wrote them.
        outcome: How the asking ended.
        faults: Why the model's text was not used, where it was one.
        usage: What was paid.
        prompt_name: Kind and version of the prompt.
        model: Who answered; null where nobody did.
    """

    content: Content
    source: Literal["template", "claude"]
    outcome: WriterOutcome
    faults: tuple[Fault, ...]
    usage: Usage
    prompt_name: str
    model: str | None = None


def write_one(
    brief: Brief,
    *,
    matter: str,
    facts: Evidence,
    quotes: Sequence[str],
    recipient: Recipient,
    sender: Sender,
    asker: Asker,
    deadline_seconds: float,
) -> OneOff:
    """Write a message, by a model where it answers in time and without faults.

    Args:
        brief: What is wanted; its trigger says which words stand in.
        matter: What it is about, in the company's own words, without anything personal.
        facts: Of the case, by the names of the trigger; empty when they are not known.
        quotes: The customer's own words, if any; they are masked first.
        recipient: To whom.
        sender: Who writes.
        asker: Who is asked.
        deadline_seconds: For the asking.

    Raises:
        BadInputError: The facts do not fit the trigger.
    """
    if faults := find_evidence_faults(brief.trigger, facts):
        raise BadInputError(f"facts of {brief.trigger}: {'; '.join(faults)}")
    asked = make_one_off_prompt(
        brief.model_copy(update={"n_variants": 1}), matter=matter, quotes=mask_quotes(quotes)
    )
    spare = OneOff(
        content=_write_template(brief, facts=facts, recipient=recipient, sender=sender),
        source="template",
        outcome=WriterOutcome.OK,
        faults=(),
        usage=Usage(),
        prompt_name=asked.name,
    )
    answer = asker.ask(asked, deadline_seconds=deadline_seconds)
    if isinstance(answer, Failure):
        return replace(spare, outcome=answer.outcome, usage=answer.usage)
    told = replace(spare, usage=answer.usage, model=answer.model)
    drafts = read_drafts(answer.value, brief)
    if not drafts:
        return replace(told, outcome=WriterOutcome.MALFORMED)
    draft = drafts[0].model_copy(update={"angle": ""})
    if faults_of_draft := check_draft(draft, brief=brief, library=sender.library):
        return replace(told, faults=faults_of_draft)
    content, faults_of_text = _finish(draft, brief, facts=facts, recipient=recipient, sender=sender)
    if content is None:
        return replace(told, faults=faults_of_text)
    return replace(told, content=content, source="claude")


def _finish(
    draft: Draft, brief: Brief, *, facts: Evidence, recipient: Recipient, sender: Sender
) -> tuple[Content | None, tuple[Fault, ...]]:
    """The final text of a draft without faults; or none, and why."""
    marked = _mark(draft) if sender.needs_marker else draft
    variant = compile_draft(
        marked,
        variant_id=variant_id_of(draft),
        library=sender.library,
        offer=brief.offers[0] if brief.offers else None,
    )
    content = render(
        variant,
        language=brief.language,
        evidence=facts,
        first_name=recipient.first_name,
        settings=sender.settings,
        timezone=recipient.timezone,
    )
    if isinstance(content, Unrenderable):  # the marker, or a value, is too much for the channel
        return None, (_too_much(content),)
    grounds = ground_variant(
        variant,
        language=brief.language,
        evidence=facts,
        first_name=recipient.first_name,
        settings=sender.settings,
        brand=brief.brand,
        timezone=recipient.timezone,
        offers=brief.offers,
    )
    grounds = replace(grounds, needs_marker=sender.needs_marker, max_segments=brief.max_segments)
    faults = check_text(content, grounds=grounds)
    return (None, faults) if faults else (content, ())


def _too_much(refused: Unrenderable) -> Fault:
    return Fault(FaultCode.LENGTH, "text", refused.reason, "a text within the channel's limits")


def _mark(draft: Draft) -> Draft:
    """The draft with the line that says AI helped to write it."""
    line = ai_marker(draft.language)
    if draft.channel is Channel.EMAIL:
        return draft.model_copy(update={"body": (*draft.body, Piece(facts=line, plain=line))})
    (piece,) = draft.body
    marked = Piece(facts=f"{piece.facts} {line}", plain=f"{piece.plain} {line}")
    return draft.model_copy(update={"body": (marked,)})


def _write_template(
    brief: Brief, *, facts: Evidence, recipient: Recipient, sender: Sender
) -> Content:
    """The words that ship: with the facts, or without them where these can't be shown."""
    variant = sender.library.variants(brief.trigger, brief.channel)[0]
    refused: Content | Unrenderable = Unrenderable("not tried")
    for evidence, zone in ((facts, recipient.timezone), ({}, None)):
        refused = render(
            variant,
            language=brief.language,
            evidence=evidence,
            first_name=recipient.first_name,
            settings=sender.settings,
            timezone=zone,
        )
        if isinstance(refused, Content):
            return refused
    # The library's loader proves that the text without facts fits; this is a bug.
    raise AssertionError(f"{variant.variant_id} cannot be filled: {refused}")
