"""The stand-in demands what the API demands: the SDK is made to break each rule."""

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.standin.app import KEY, Standin
from tests.standin.steps import Kind, Step

GOOD: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello"}],
}
SCHEMA = {
    "type": "object",
    "properties": {
        "tone": {"enum": ["warm", "clear"]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "required": ["tone", "lines", "note"],
    "additionalProperties": False,
    "$defs": {
        "Line": {
            "type": "object",
            "properties": {"n": {"type": "integer"}, "is_last": {"type": "boolean"}},
            "required": ["n", "is_last"],
            "additionalProperties": False,
        }
    },
}


@pytest.fixture
def client(standin: Standin) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(
        api_key=KEY, base_url=standin.url, max_retries=0, timeout=5, open_telemetry=False
    ) as client:
        yield client


def shaped(schema: object) -> dict[str, object]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def test_answer_is_made_from_the_schema_after_a_thinking_block(
    client: anthropic.Anthropic,
) -> None:
    message = client.messages.create(**GOOD, **shaped(SCHEMA))

    assert [block.type for block in message.content] == ["thinking", "text"]
    assert message.content[1].text == (
        '{"tone": "warm", "lines": [{"n": 3, "is_last": true}], "note": "Words of the stand-in."}'
    )
    assert message.usage.output_tokens > 20


def test_answer_is_the_one_that_was_given(standin: Standin, client: anthropic.Anthropic) -> None:
    standin.answer_with(lambda body: {"said": body["messages"][0]["content"]})

    assert client.messages.create(**GOOD).content[-1].text == '{"said": "Hello"}'


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"extra_body": {"temperature": 0.5}}, "temperature"),
        ({"extra_body": {"colour": "red"}}, "colour: Extra inputs"),
        ({"messages": [{"role": "assistant", "content": "{"}]}, "prefill"),
        ({"messages": []}, "at least one message"),
        ({"max_tokens": -1}, "greater than or equal"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1_024}}, "`enabled`"),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}},
            "effort is high or lower",
        ),
        (
            {"model": "claude-opus-5-5", "thinking": {"type": "disabled"}},
            "cannot be disabled",
        ),
        (shaped({"type": "object", "properties": {}}), "additionalProperties"),
        (
            shaped(
                {
                    "type": "object",
                    "properties": {"a": {"type": "string", "minLength": 1}},
                    "additionalProperties": False,
                }
            ),
            "'minLength' is not supported",
        ),
        (
            shaped(
                {
                    "type": "object",
                    "properties": {f"p{n}": {"type": "string"} for n in range(25)},
                    "additionalProperties": False,
                }
            ),
            "too many optional",
        ),
    ],
)
def test_what_the_api_forbids_is_refused(
    change: dict[str, Any], words: str, client: anthropic.Anthropic
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.messages.create(**(GOOD | change))


def test_wrong_key_and_wrong_version_are_refused(
    standin: Standin, client: anthropic.Anthropic
) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="another").messages.create(**GOOD)
    with pytest.raises(anthropic.BadRequestError, match="anthropic-version"):
        client.messages.create(**GOOD, extra_headers={"anthropic-version": "2023-06-01"})
    assert standin.n_requests() == 2


def test_cache_is_written_once_and_read_until_something_changes(
    client: anthropic.Anthropic,
) -> None:
    marked = {"type": "text", "text": "Rules. " * 600, "cache_control": {"type": "ephemeral"}}

    def tokens(**change: Any) -> tuple[int | None, int | None]:
        usage = client.messages.create(**(GOOD | {"system": [marked]} | change)).usage
        return usage.cache_creation_input_tokens, usage.cache_read_input_tokens

    assert [tokens(), tokens()] == [(1_050, 0), (0, 1_050)]
    assert tokens(model="claude-sonnet-5-5") == (1_050, 0)
    assert tokens(**shaped(SCHEMA)) == (1_050, 0)
    short = marked | {"text": "Too short to be cached."}
    assert tokens(system=[short]) == (0, 0)


def test_tool_use_is_made_from_the_tools_schema(
    standin: Standin, client: anthropic.Anthropic
) -> None:
    standin.script(Step.of(Kind.TOOL_USE))
    tool = {"name": "sort", "input_schema": {"type": "object", "properties": SCHEMA["properties"]}}
    tool["input_schema"]["$defs"] = SCHEMA["$defs"]

    message = client.messages.create(**GOOD, tools=[tool])

    assert message.stop_reason == "tool_use"
    assert message.content[-1].name == "sort"
    assert message.content[-1].input["tone"] == "warm"


def test_batch_ends_after_its_polls_and_gives_results_out_of_order(
    standin: Standin, client: anthropic.Anthropic
) -> None:
    standin.batch_polls = 3
    batches = client.messages.batches
    made = batches.create(requests=[{"custom_id": f"a{n}", "params": GOOD} for n in range(3)])
    with pytest.raises(anthropic.AnthropicError, match="in_progress"):
        batches.results(made.id)  # which looks first whether it has ended
    statuses = [batches.retrieve(made.id).processing_status for _ in range(2)]
    lines = list(batches.results(made.id))

    assert statuses == ["in_progress", "ended"]
    assert [line.custom_id for line in lines] == ["a2", "a1", "a0"]
    assert lines == list(batches.results(made.id))
    assert {line.result.message.usage.service_tier for line in lines} == {"batch"}
    with pytest.raises(anthropic.NotFoundError):
        batches.retrieve("msgbatch_none")


@pytest.mark.parametrize(
    ("ids", "words"), [(["a", "a"], "unique"), (["ключ"], "pattern"), ([], "Field required")]
)
def test_batch_with_wrong_names_is_refused(
    ids: list[str], words: str, client: anthropic.Anthropic
) -> None:
    requests = [{"custom_id": name, "params": GOOD} for name in ids]
    with pytest.raises(anthropic.BadRequestError, match=words):
        client.messages.batches.create(requests=requests)
