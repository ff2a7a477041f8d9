"""Questions that may be asked by GET, with their fields in the address."""

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASKED_BY_GET = frozenset({"/incidents"})
"""Paths that change nothing; BentoML itself knows POST alone."""


class QuestionsByGet:
    """Middleware that turns such a GET into the POST of the same question.

    Texts of the address become what the question's fields are when its body is checked.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, as a POST where it is a question by GET."""
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["path"].rstrip("/") not in ASKED_BY_GET
        ):
            await self._app(scope, receive, send)
            return
        asked = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        body = json.dumps(asked).encode()
        left_out = (b"content-length", b"content-type", b"transfer-encoding")
        headers = [pair for pair in scope["headers"] if pair[0] not in left_out]
        headers += [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
        ]
        told = False

        async def give() -> Message:
            nonlocal told
            if told:
                return await receive()  # when the client is gone
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        changed = {"method": "POST", "headers": headers, "query_string": b""}
        await self._app({**scope, **changed}, give, send)


# An OpenAPI document is somebody else's shape, passed on with a few parts added.
def document_gets(document: dict[str, Any]) -> dict[str, Any]:
    """The document with questions by GET beside the POSTs that they stand for."""
    for path in ASKED_BY_GET & document.get("paths", {}).keys():
        post = document["paths"][path]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        fields = _find_schema(document, schema).get("properties", {})
        asked = {name: part for name, part in post.items() if name != "requestBody"}
        document["paths"][path]["get"] = {
            **asked,
            "operationId": f"{asked.get('operationId', path.strip('/'))}_by_get",
            "parameters": [
                {"name": name, "in": "query", "required": False, "schema": _as_said(field)}
                for name, field in fields.items()
            ],
        }
    return document


def _as_said(field: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field in an address, where nothing is said by leaving it out."""
    said = [one for one in field.get("anyOf", []) if one != {"type": "null"}]
    if len(said) != 1:
        return field
    return {"title": field.get("title", ""), **said[0]}


def _find_schema(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one that it refers to."""
    found: Any = document if "$ref" in schema else schema
    for part in schema.get("$ref", "#").split("/")[1:]:
        found = found[part]
    return dict(found)
