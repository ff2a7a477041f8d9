"""The two checks, pure and fast: of a draft with its slots, and of a final text.

A draft may hold no figure, day, promise or link at all: facts stand in slots. A final text may
say what its facts and offers say. Both go through the same rules of language, tone and form.
What they look for and what they cannot see: docs/copy_checks.md.
"""

from collections.abc import Iterator, Mapping

from features.errors import BadInputError
from serving.copy.brief import Brief
from serving.copy.content import Content
from serving.copy.draft import Draft
from serving.copy.guard.faults import Fault, FaultCode
from serving.copy.guard.final import find_final_faults
from serving.copy.guard.grounds import Grounds
from serving.copy.guard.lexicon import Lexicon, default_lexicons
from serving.copy.guard.stored import find_draft_faults
from serving.copy.library import Library, default_library


def check_draft(
    draft: Draft,
    *,
    brief: Brief,
    lexicons: Mapping[str, Lexicon] | None = None,
    library: Library | None = None,
) -> tuple[Fault, ...]:
    """Everything wrong with a draft; empty when it may be shown to whoever approves it.

    Args:
        draft: Words with slots.
        brief: What was asked for.
        lexicons: By language; those that ship where null.
        library: Rooms of the facts and the language's forms; the one that ships where null.

    Raises:
        BadInputError: If the draft is of another trigger or channel than the brief.
    """
    for name in ("trigger", "channel"):
        given, asked = getattr(draft, name), getattr(brief, name)
        if given != asked:
            raise BadInputError(f"draft.{name}: {given!r}, expected {asked!r} as the brief asks")
    library = default_library() if library is None else library
    lexicon = (default_lexicons() if lexicons is None else lexicons).get(brief.language)
    if lexicon is None or brief.language not in library.languages:
        return (_no_lexicon(brief.language),)
    if draft.language != brief.language:
        return (Fault(FaultCode.LANGUAGE, "language", draft.language, brief.language),)
    return _once(find_draft_faults(draft, brief=brief, lexicon=lexicon, library=library))


def check_text(
    content: Content, *, grounds: Grounds, lexicons: Mapping[str, Lexicon] | None = None
) -> tuple[Fault, ...]:
    """Everything wrong with a final text; empty when it may be sent.

    Args:
        content: Ready to send.
        grounds: What it may say.
        lexicons: By language; those that ship where null.
    """
    lexicon = (default_lexicons() if lexicons is None else lexicons).get(grounds.language)
    if lexicon is None:
        return (_no_lexicon(grounds.language),)
    return _once(find_final_faults(content, grounds=grounds, lexicon=lexicon))


def _once(faults: Iterator[Fault]) -> tuple[Fault, ...]:
    return tuple(dict.fromkeys(faults))


def _no_lexicon(language: str) -> Fault:
    """Nothing is passed unread."""
    return Fault(FaultCode.LANGUAGE, "language", language, "a language with a lexicon and texts")
