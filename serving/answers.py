"""Making the service's own words plain: refused bodies, and the page that documents it.

BentoML answers a wrong body with pydantic's report and documents every service in its own words;
here both are said in ours. Other answers pass untouched.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.access import is_open
from serving.documented import Documentation
from serving.faults import name_place

_DOCUMENTATION = "/docs.json"


class PlainAnswers:
    """Middleware that rewrites refused bodies (400) and the OpenAPI document."""

    def __init__(self, app: ASGIApp, *, documentation: Documentation) -> None:
        """Speak for an application; `documentation` introduces it on its page."""
        self._app = app
        self._documentation = documentation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and hold back what has to be rewritten."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        held: list[Message] = []

        async def rewrite(message: Message) -> None:
            if message["type"] == "http.response.start" and self._concerns(scope, message):
                held.append(message)
            elif not held:
                await send(message)
            else:
                held.append(message)
                if not message.get("more_body", False):
                    await self._send_rewritten(scope, held, send)

        await self._app(scope, receive, rewrite)

    def _concerns(self, scope: Scope, start: Message) -> bool:
        if scope["path"] == _DOCUMENTATION:
            return bool(start["status"] == 200)
        return start["status"] == 400 and not is_open(scope["path"])

    async def _send_rewritten(self, scope: Scope, held: list[Message], send: Send) -> None:
        start, *parts = held
        body = b"".join(part.get("body", b"") for part in parts)
        answer = json.loads(body)
        if scope["path"] == _DOCUMENTATION:
            answer = self._documentation.complete(answer)
        elif "detail" in answer:
            answer = _refuse(answer)
        content = json.dumps(answer, ensure_ascii=False).encode("utf-8")
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length"]
        headers.append((b"content-length", str(len(content)).encode("ascii")))
        await send({**start, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def _refuse(answer: Mapping[str, Any]) -> dict[str, Any]:
    """BentoML's report of a wrong body, its JSON, in the shape of our other refusals.

    >>> _refuse({"detail": [{"loc": [], "msg": "Invalid JSON"}]})["message"]
    'as a whole: Invalid JSON'
    """
    faults = [{"loc": fault["loc"], "msg": fault["msg"]} for fault in answer["detail"]]
    words = "; ".join(f"{name_place(fault['loc'])}: {fault['msg']}" for fault in faults)
    return {"error": "invalid", "message": words, "detail": faults}


class OneLineForWrongBodies(logging.Filter):
    """Logs a client's mistake as one line, not as our own failure with a traceback."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Take the traceback out where a validation failed; keep every record."""
        fault = record.exc_info[1] if record.exc_info else None
        if isinstance(fault, ValidationError):
            record.exc_info = None
            record.levelno, record.levelname = logging.INFO, "INFO"
            where = record.getMessage().removeprefix("Exception on ")
            record.msg = f"refused a wrong body: {where}: {_describe(fault)}"
            record.args = ()
        return True


def _describe(fault: ValidationError) -> str:
    """Places and kinds of what is wrong; what was sent may be personal, and stays out of the log.

    >>> from serving.records import Profile
    >>> try:
    ...     Profile.model_validate({"timezone": "Nowhere", "age": 40})
    ... except ValidationError as fault:
    ...     print(_describe(fault))
    timezone: value_error; age: extra_forbidden
    """
    faults = fault.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{name_place(one['loc'])}: {one['type']}" for one in faults)
