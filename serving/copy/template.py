"""Templates: literal text with `{slot}` names, and nothing else.

Not `str.format`, not Jinja: a template can do nothing but name slots of a closed list, and a value
is put in once and never read as a template again.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass

GREETING = "greeting"
_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_OPENING = "{" + GREETING + "}"
# What a text may say only through a slot: figures, prices and links come from facts, never from us.
_INVENTED = re.compile(r"\d|[%$€₸₽£¥]|://|www\.")


@dataclass(frozen=True)
class Template:
    """A compiled template.

    Attributes:
        parts: Literal, slot, literal, slot, ..., literal.
        slots: The slots that it needs, the greeting apart.
        is_greeted: Whether it opens with a greeting and goes on in lower case.
    """

    parts: tuple[str, ...]
    slots: frozenset[str]
    is_greeted: bool

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with its slots replaced; the greeting is put in front by who has the name.

        >>> compile_template("Still there: {item}").fill({"item": "{greeting}"})
        'Still there: {greeting}'
        """
        return "".join(values[part] if index % 2 else part for index, part in enumerate(self.parts))

    @property
    def words(self) -> str:
        """The text with its slots in braces, the greeting left out.

        >>> compile_template("{greeting}still there: {item}").words
        'still there: {item}'
        """
        return "".join(f"{{{part}}}" if at % 2 else part for at, part in enumerate(self.parts))


def compile_template(text: str) -> Template:
    """Split a template that has no faults."""
    is_greeted = text.startswith(_OPENING)
    parts = tuple(_SLOT.split(text.removeprefix(_OPENING)))
    return Template(parts, slots=frozenset(parts[1::2]), is_greeted=is_greeted)


def find_template_faults(text: str, *, slots: Set[str], may_greet: bool) -> list[str]:
    """Everything wrong with a template, in words.

    >>> find_template_faults("{greeting}only 5 {colour} left }", slots={"item"}, may_greet=True)
    ["slot 'colour' is unknown here, only item", "stray '}'", "'5' is no fact: use a slot"]
    """
    template = compile_template(text)
    literals = template.parts[::2]
    known = ", ".join(sorted(slots)) or "none"
    faults = [
        f"slot {slot!r} is unknown here, only {known}"
        for slot in template.parts[1::2]
        if slot not in slots
    ]
    if template.is_greeted and not may_greet:
        faults.append("a greeting is already put in front of every text of this kind")
    if template.is_greeted and len(template.parts) > 1 and not literals[0]:
        faults.append("a greeting must go on with words, not with a slot")
    rest = "\n".join(literals)
    faults += [f"stray {brace!r}" for brace in "{}" if brace in rest]
    faults += [f"{found!r} is no fact: use a slot" for found in _INVENTED.findall(rest)]
    if not text.strip() or text != text.strip():
        faults.append("empty, or with space around it")
    return faults
