"""With which facts a text is looked at: an example, the longest there are, or none."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from features.evidence import Evidence, FactKind, Scalar
from serving.copy.checks import list_largest
from serving.copy.slots import Manner, SlotRule, write_slots
from serving.copy.variants import Cell


class Values(StrEnum):
    """Which facts fill the slots."""

    EXAMPLE = "example"
    LONGEST = "longest"
    NONE = "none"


@dataclass(frozen=True)
class Case:
    """A made-up customer's case.

    Attributes:
        evidence: Facts by name; empty for none.
        first_name: Of the customer; null for none.
    """

    evidence: Evidence
    first_name: str | None


_NAMES: Mapping[str, str] = {"ru": "Анна", "kk": "Әсел"}
_LONG_NAMES: Mapping[str, str] = {"ru": "Владислава-Екатерина", "kk": "Нұрсұлтан-Әбілмансұр"}
_NAME, _LONG_NAME = "Anna", "Alexandrina-Victoria"  # in all other languages
_LONG_TEXT = 200  # characters; more than any place has room for


def make_case(values: Values, *, example: Evidence, cell: Cell, manner: Manner) -> Case:
    """The case that a cell is looked at with.

    Args:
        values: Which facts.
        example: Facts that a text may be tried with.
        cell: Whose texts.
        manner: How values are written, which decides what is longest.
    """
    language = cell.language.code
    match values:
        case Values.NONE:
            return Case({}, None)
        case Values.EXAMPLE:
            return Case(example, _NAMES.get(language, _NAME))
        case Values.LONGEST:
            rules = {rule.name: rule for rule in (*cell.title_rules, *cell.body_rules)}
            longest = {
                name: _find_longest(rules[name], example=fact, manner=manner)
                for name, fact in example.items()
                if name in rules
            }
            return Case({**example, **longest}, _LONG_NAMES.get(language, _LONG_NAME))


def _find_longest(rule: SlotRule, *, example: Scalar, manner: Manner) -> Scalar:
    if rule.kind is FactKind.TEXT:
        return _lengthen(str(example), room=(rule.room or 0) if rule.whole else _LONG_TEXT)
    largest = list_largest(rule, manner=manner, letter="")
    return max(largest, key=lambda fact: _measure(fact, rule=rule, manner=manner))


def _measure(fact: Scalar, *, rule: SlotRule, manner: Manner) -> int:
    return len(write_slots((rule,), evidence={rule.name: fact}, manner=manner).get(rule.name, ""))


def _lengthen(example: str, *, room: int) -> str:
    """The example again and again, cut at its room; it must not end in a space. Nothing is none."""
    word = example.strip()
    if not word:
        return ""
    long = " ".join([word] * (room // len(word) + 1))[:room]
    return long if long.strip() == long else long[:-1] + word[0]
