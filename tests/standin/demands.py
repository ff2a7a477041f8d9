"""What the API demands of a request; each fault is a 400 of the real one."""

import re
from collections.abc import Iterator
from typing import Any

Json = Any

VERSION = "2026-10-21"
_GONE = ("temperature", "top_p", "top_k")
_KNOWN = {
    "model", "max_tokens", "messages", "system", "metadata", "stop_sequences", "stream",
    "output_config", "thinking", "tools", "tool_choice", "cache_control", "service_tier",
    "container", "diagnostics", "inference_geo", "speed", *_GONE,
}  # fmt: skip
_EFFORTS = {"low", "medium", "high", "xhigh", "max"}
_KEYWORDS = {
    "type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf",
    "allOf", "$ref", "$defs", "description", "title", "format", "minItems", "default",
}  # fmt: skip
_MAX_OPTIONAL = 24
_MAX_UNIONS = 16
_CUSTOM_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")


def find_fault(body: Json) -> str | None:
    """The first thing that is wrong with the parameters of a message; None for a good one."""
    return next(_find_faults(body), None)


def find_batch_fault(body: Json) -> str | None:
    """The first thing that is wrong with a batch as a whole."""
    requests = body.get("requests")
    if not isinstance(requests, list) or not requests:
        return "requests: Field required"
    ids = [request.get("custom_id", "") for request in requests]
    if bad := [name for name in ids if not _CUSTOM_ID.match(name)]:
        return f"requests: custom_id {bad[0]!r}: String should match pattern {_CUSTOM_ID.pattern}"
    if len(set(ids)) < len(ids):
        return "requests: custom_id must be unique"
    for request in requests:
        if fault := find_fault(request.get("params", {})):
            return f"requests.params.{fault}"
    return None


def _find_faults(body: Json) -> Iterator[str]:
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            yield f"{name}: Field required"
    for name in sorted(set(body) - _KNOWN):
        yield f"{name}: Extra inputs are not permitted"
    for name in _GONE:
        if name in body:
            yield f"{name}: This model does not support `{name}`"
    yield from _message_faults(body["messages"])
    if body.get("max_tokens", 1) < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    yield from _thinking_faults(body)
    yield from _output_faults(body.get("output_config", {}))


def _message_faults(messages: list[Json]) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
    elif messages[-1]["role"] == "assistant":
        yield "messages: this model does not support prefill; end with a user message"
    for message in messages:
        if not message["content"]:
            yield "messages: content must be non-empty"


def _thinking_faults(body: Json) -> Iterator[str]:
    thinking = body.get("thinking", {"type": "adaptive"})["type"]
    if thinking == "enabled":
        yield "thinking: `enabled` is not supported on this model, use `adaptive`"
    effort = body.get("output_config", {}).get("effort")
    if thinking == "disabled" and effort in {"xhigh", "max"}:
        yield "thinking: can only be disabled when effort is high or lower"
    if thinking == "disabled" and "opus-5-5" in body["model"]:
        yield "thinking: cannot be disabled on this model"


def _output_faults(config: Json) -> Iterator[str]:
    effort = config.get("effort")
    if effort is not None and effort not in _EFFORTS:
        yield f"output_config.effort: {effort!r}"
    if "format" not in config:
        return
    if config["format"].get("type") != "json_schema":
        yield "output_config.format.type: expected json_schema"
    counts = {"optional": 0, "unions": 0}
    yield from _schema_faults(config["format"]["schema"], counts)
    if counts["optional"] > _MAX_OPTIONAL:
        yield "output_config.format.schema: too many optional parameters"
    if counts["unions"] > _MAX_UNIONS:
        yield "output_config.format.schema: too many parameters with union types"


def _schema_faults(schema: Json, counts: dict[str, int]) -> Iterator[str]:
    where = "output_config.format.schema"
    for keyword in sorted(set(schema) - _KEYWORDS):
        yield f"{where}: property '{keyword}' is not supported"
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield f"{where}: 'additionalProperties' must be explicitly set to false"
        properties = schema.get("properties", {})
        counts["optional"] += len(set(properties) - set(schema.get("required", ())))
        for part in properties.values():
            yield from _schema_faults(part, counts)
    if schema.get("type") == "array":
        yield from _schema_faults(schema.get("items", {"type": "string"}), counts)
    counts["unions"] += "anyOf" in schema
    for part in (*schema.get("anyOf", ()), *schema.get("$defs", {}).values()):
        yield from _schema_faults(part, counts)
