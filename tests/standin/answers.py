"""What the stand-in says: a value made from a schema, and the message around it."""

import hashlib
import json
from typing import Any

Json = Any
_MIN_CACHED_TOKENS = 512
_PLAIN = {
    "string": "Words of the stand-in.",
    "integer": 3,
    "number": 0.5,
    "boolean": True,
    "null": None,
}


def make_value(schema: Json, *, root: Json) -> Json:
    """The simplest value that fits: one item a list, the first of a choice, words for a text."""
    if "$ref" in schema:
        return make_value(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root=root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "allOf"):
        if choice in schema:
            return make_value(schema[choice][0], root=root)
    if schema["type"] == "object":
        parts = schema.get("properties", {})
        return {name: make_value(part, root=root) for name, part in parts.items()}
    if schema["type"] == "array":
        return [make_value(schema["items"], root=root)]
    return _PLAIN[schema["type"]]


def count_tokens(text: str) -> int:
    """Some number that grows with the text: a token for every four bytes."""
    return max(1, len(text.encode()) // 4)


def texts_of(content: Json) -> str:
    """The words of a `system` or `content`, which is a text or blocks of text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content)


def user_text(body: Json) -> str:
    return "".join(texts_of(message["content"]) for message in body["messages"])


class Accounts:
    """Usage as the API counts it, with a prompt cache."""

    def __init__(self) -> None:
        self._cached: set[str] = set()

    def usage(self, body: Json, *, text: str) -> Json:
        """Tokens of one request: the part up to the last cache mark is written, then read."""
        system, marked = texts_of(body.get("system")), ""
        if isinstance(body.get("system"), list):
            marks = [at for at, block in enumerate(body["system"]) if "cache_control" in block]
            marked = texts_of(body["system"][: marks[-1] + 1]) if marks else ""
        n_marked = count_tokens(marked) if marked else 0
        usage = {
            "input_tokens": count_tokens(system + user_text(body)),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": count_tokens(text) + 20,
            "service_tier": "standard",
        }
        if n_marked >= _MIN_CACHED_TOKENS:
            key = self._key(body, marked)
            kind = "read" if key in self._cached else "creation"
            self._cached.add(key)
            usage[f"cache_{kind}_input_tokens"] = n_marked
            usage["input_tokens"] = max(1, usage["input_tokens"] - n_marked)
        return usage

    @staticmethod
    def _key(body: Json, marked: str) -> str:
        shape = json.dumps(body.get("output_config", {}).get("format"), sort_keys=True)
        return hashlib.sha256(f"{body['model']}\n{shape}\n{marked}".encode()).hexdigest()
