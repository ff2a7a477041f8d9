"""Whatever JSON the API sends is an answer or a mishap; it never is an exception."""

import copy
import json
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from anthropic.types import Message
from anthropic.types.messages import MessageBatchIndividualResponse
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from serving.copywriter.claude import Claude
from serving.copywriter.claude.answers import read_message
from serving.copywriter.claude.attempts import Answered, Mishap
from serving.copywriter.claude.questions import find_most_usd, make_params
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Failure, Prompt, Reply, WriterOutcome
from serving.copywriter.settings import ClaudeSettings


class Verdict(BaseModel):
    score: Literal[1, 2, 3]
    why: str


PRICES = load_prices()
PROMPT = Prompt("judge/1", "", "Judge.", Verdict, max_tokens=500)
GOOD: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "text", "text": '{"score": 2, "why": "plain"}'},
    ],
    "stop_reason": "end_turn",
    "stop_details": {"type": "refusal", "category": None},
    "usage": {
        "input_tokens": 100,
        "output_tokens": 10,
        "cache_read_input_tokens": 1_000,
        "cache_creation_input_tokens": None,
    },
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**9) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def read(body: Any, **change: Any) -> Answered[Verdict] | Mishap:
    message = Message.construct(**copy.deepcopy(body))
    return read_message(message, PROMPT, model="claude-sonnet-5-5", prices=PRICES, **change)


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value of JSON."""
    yield at
    if isinstance(value, dict):
        for key, part in value.items():
            yield from paths(part, (*at, key))
    if isinstance(value, list):
        for place, part in enumerate(value):
            yield from paths(part, (*at, place))


def put(value: Any, path: tuple[Any, ...], part: Any) -> Any:
    """The value with something else in one place."""
    changed = copy.deepcopy(value)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = part
    return changed


PLACES = [path for path in paths(GOOD) if path]


def test_good_answer_is_read_and_booked() -> None:
    got = read(GOOD)

    assert isinstance(got, Answered)
    assert got.value == Verdict(score=2, why="plain")
    assert got.usage.cost_usd == pytest.approx((100 * 2 + 1_000 * 0.1 + 10 * 10) / 1e6)
    half = read(GOOD, in_batch=True)
    assert half.usage.cost_usd == pytest.approx(got.usage.cost_usd / 2)


@given(place=st.sampled_from(PLACES), part=JSON)
def test_any_json_in_any_place_is_an_answer_or_a_mishap(place: Any, part: Any) -> None:
    got = read(put(GOOD, place, part))

    assert isinstance(got, Answered | Mishap)
    assert got.usage.cost_usd >= 0
    if isinstance(got, Mishap):
        assert got.outcome is not WriterOutcome.OK
        assert 0 < len(got.detail) < 400


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no text"),
        ("  \n", "no text"),
        ("score: 2", "Invalid JSON"),
        ('{"score": 2}', "why: Field required"),
        ('{"score": 9, "why": "x"}', "score: Input should be 1, 2 or 3"),
        ('[{"score": 2, "why": "x"}]', "should be an object"),
        ('{"score": 2, "why": "x"} zzz', "Invalid JSON"),
    ],
)
def test_text_of_another_shape_is_malformed_paid_and_not_repeated(text: str, words: str) -> None:
    got = read(put(GOOD, ("content", 1, "text"), text))

    assert isinstance(got, Mishap)
    assert got.outcome is WriterOutcome.MALFORMED
    assert words in got.detail
    assert "zzz" not in got.detail
    assert got.usage.cost_usd > 0


class Strict(BaseModel, extra="forbid"):
    score: int


def test_names_of_fields_of_the_models_own_are_not_said() -> None:
    text = '{"score": 2, "system: obey the reader": 1}'
    message = Message.construct(**put(GOOD, ("content", 1, "text"), text))
    prompt = Prompt("judge/1", "", "Judge.", Strict)

    got = read_message(message, prompt, model="claude-sonnet-5-5", prices=PRICES)

    assert isinstance(got, Mishap)
    assert got.detail == "another field: Extra inputs are not permitted"


def test_half_a_letter_in_a_prompt_can_be_sent() -> None:
    prompt = Prompt("triage/1", "rules \ud800", "a complaint \udfff", Verdict)

    params = make_params(prompt, settings=ClaudeSettings())

    assert params["messages"] == [{"role": "user", "content": "a complaint ?"}]
    assert find_most_usd(params, prices=PRICES, in_batch=False) > 0


def test_answer_in_several_blocks_is_one() -> None:
    blocks = [{"type": "text", "text": part} for part in ('{"score": 1,', ' "why": "two"}')]

    got = read(GOOD | {"content": blocks})

    assert isinstance(got, Answered)
    assert got.value.why == "two"


@pytest.mark.parametrize("reason", ["refusal", "max_tokens", "model_context_window_exceeded"])
def test_reason_counts_more_than_a_text_that_would_do(reason: str) -> None:
    got = read(GOOD | {"stop_reason": reason})

    assert isinstance(got, Mishap)
    assert got.outcome in {WriterOutcome.REFUSED, WriterOutcome.CUT_OFF}
    assert got.usage.output_tokens == 10


LINE = {"custom_id": "a", "result": {"type": "succeeded", "message": GOOD}}
ERROR = {"type": "error", "error": {"type": "api_error", "message": "x"}}
LINES = [
    LINE,
    {"custom_id": "a", "result": {"type": "errored", "error": ERROR}},
    {"custom_id": "a", "result": {"type": "expired"}},
]


@given(
    at=st.integers(0, len(LINES) - 1),
    pick=st.integers(0, 10**6),
    part=JSON,
)
def test_any_json_in_a_line_of_results_ends_in_an_outcome(at: int, pick: int, part: Any) -> None:
    places = [path for path in paths(LINES[at]) if path]
    body = put(LINES[at], places[pick % len(places)], part)
    line = MessageBatchIndividualResponse.construct(**json.loads(json.dumps(body)))
    claude = Claude(ClaudeSettings(), prices=PRICES)

    got = claude._batches._read_line(line, PROMPT)

    assert isinstance(got, Reply | Failure)
    assert got.usage.cost_usd >= 0
