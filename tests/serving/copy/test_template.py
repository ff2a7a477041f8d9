"""Templates: closed slots, one pass, and faults."""

import pytest

from serving.copy.template import compile_template, find_template_faults


def test_fill_puts_each_value_in_once() -> None:
    template = compile_template("{item}: {new} instead of {old}, {item}")
    values = {"item": "{old}", "new": "{item}", "old": "$1 \\1 %s {0.__class__}"}
    assert template.fill(values) == ("{old}: {item} instead of $1 \\1 %s {0.__class__}, {old}")
    assert template.slots == {"item", "new", "old"}


@pytest.mark.parametrize("text", ["{item.__class__}", "{item!r}", "{0}", "{item:>9}", "{{item}}"])
def test_find_template_faults_refuses_format_syntax(text: str) -> None:
    faults = find_template_faults(text, slots={"item"}, may_greet=True)
    assert any("stray" in fault for fault in faults)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{price}", "slot 'price' is unknown here, only item"),
        ("Only 5 left", "'5' is no fact: use a slot"),
        ("Half price: 50%", "'%' is no fact: use a slot"),
        ("From €", "'€' is no fact: use a slot"),
        ("See https://evil.example", "'://' is no fact: use a slot"),
        (" {item}", "empty, or with space around it"),
        ("", "empty, or with space around it"),
        ("{item} {greeting}", "slot 'greeting' is unknown here, only item"),
        ("{greeting}{item}", "a greeting must go on with words, not with a slot"),
    ],
)
def test_find_template_faults_names_each(text: str, expected: str) -> None:
    assert expected in find_template_faults(text, slots={"item"}, may_greet=True)


def test_find_template_faults_passes_a_good_one() -> None:
    assert not find_template_faults("{greeting}«{item}» is here", slots={"item"}, may_greet=True)


def test_find_template_faults_refuses_a_second_greeting() -> None:
    (fault,) = find_template_faults("{greeting}hello", slots=frozenset(), may_greet=False)
    assert fault.startswith("a greeting is already")
