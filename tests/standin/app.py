"""The stand-in itself: an ASGI app with a script, and a record of what it was asked."""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from serving.copywriter.settings import ClaudeSettings
from tests.standin.answers import Accounts, count_tokens, make_value, texts_of, user_text
from tests.standin.demands import VERSION, find_batch_fault, find_fault
from tests.standin.steps import Kind, Step

Json = Any
Receive = Callable[[], Awaitable[Json]]
Send = Callable[[Json], Awaitable[None]]
Answer = Callable[[Json], Json]

KEY = "sk-standin-0123456789abcdef"
_FOREVER = 3_600.0
_HTML = b"<!doctype html><html><body>Please sign in to the network.</body></html>"


@dataclass(frozen=True)
class Asked:
    """A request that came.

    Attributes:
        what: `messages`, `count_tokens`, `batches`, `poll`, `results` or `cancel`.
        headers: In lower case.
        body: Its JSON; null where there is none.
    """

    what: str
    headers: dict[str, str]
    body: Json


@dataclass
class _Batch:
    requests: list[Json]
    polls_left: int
    canceled: bool = False
    lines: list[Json] | None = None


@dataclass
class _Script:
    steps: deque[Step] = field(default_factory=deque)
    forever: bool = False

    def next(self) -> Step:
        if not self.steps:
            return Step.ok()
        return self.steps[0] if self.forever and len(self.steps) == 1 else self.steps.popleft()


class Standin:
    """Answers as the Messages API does; see README.md.

    Attributes:
        url: Where it listens.
        asked: Every request, in the order in which they came.
        batch_polls: How often a new batch is asked for until it has ended.
    """

    def __init__(self) -> None:
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """As new: no script, nothing asked, nothing cached."""
        self.asked: list[Asked] = []
        self.batch_polls = 1
        self._scripts: dict[str, _Script] = {}
        self._answer: Answer | None = None
        self._accounts = Accounts()
        self._batches: dict[str, _Batch] = {}
        self._n_replies = 0

    def settings(self, **changes: Any) -> ClaudeSettings:
        """Settings that lead here, with short waits."""
        quick = {
            "api_key": KEY,
            "base_url": self.url,
            "first_wait_seconds": 0.01,
            "max_wait_seconds": 0.1,
            "first_poll_seconds": 0.01,
            "max_poll_seconds": 0.05,
            "cancel_grace_seconds": 0.3,
        }
        return ClaudeSettings.model_validate(quick | changes)

    def script(self, *steps: Step, on: str = "messages", forever: bool = False) -> None:
        """What happens to the next requests; afterwards all goes well, or the last goes on."""
        self._scripts[on] = _Script(deque(steps), forever)

    def answer_with(self, answer: Answer) -> None:
        """What to say: called with the request's body, gives the answer's value."""
        self._answer = answer

    def n_requests(self, what: str = "messages") -> int:
        """How many requests of a kind have come."""
        return sum(asked.what == what for asked in self.asked)

    def bodies(self, what: str = "messages") -> list[Json]:
        """Bodies of the requests of a kind."""
        return [asked.body for asked in self.asked if asked.what == what]

    async def __call__(
        self, scope: Json, receive: Callable[[], Awaitable[Json]], send: Send
    ) -> None:
        if scope["type"] != "http":
            return
        raw = b""
        while True:
            event = await receive()
            raw += event.get("body", b"")
            if not event.get("more_body"):
                break
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        body = json.loads(raw) if raw else None
        what, batch_id = _route(scope["method"], scope["path"])
        self.asked.append(Asked(what, headers, body))
        if fault := _header_fault(headers):
            await _send_error(send, *fault)
        elif what == "":
            await _send_error(send, 404, "not_found_error", scope["path"])
        else:
            await self._answer_to(what, batch_id, body, send)

    async def _answer_to(self, what: str, batch_id: str, body: Json, send: Send) -> None:
        step = self._scripts.get(what, _Script()).next()
        if await _goes_wrong(step, send):
            return
        if what == "messages":
            if fault := find_fault(body):
                await _send_error(send, 400, "invalid_request_error", fault)
                return
            await asyncio.sleep(step.seconds)
            await _send_json(send, self._message(body, step))
        elif what == "count_tokens":
            n = count_tokens(texts_of(body.get("system")) + user_text(body))
            await _send_json(send, {"input_tokens": n})
        else:
            await self._answer_about_batch(what, batch_id, body, send)

    async def _answer_about_batch(self, what: str, batch_id: str, body: Json, send: Send) -> None:
        if what == "batches":
            if fault := find_batch_fault(body):
                await _send_error(send, 400, "invalid_request_error", fault)
                return
            batch_id = f"msgbatch_{len(self._batches):04d}"
            self._batches[batch_id] = _Batch(body["requests"], self.batch_polls)
        batch = self._batches.get(batch_id)
        if batch is None:
            await _send_error(send, 404, "not_found_error", f"{batch_id} not found")
            return
        if what == "poll":
            batch.polls_left -= 1
        if what == "cancel":
            batch.canceled, batch.polls_left = True, min(batch.polls_left, 1)
        if what == "results":
            if batch.polls_left > 0:
                await _send_error(send, 400, "invalid_request_error", "not ended yet")
            else:
                await _send_lines(send, self._lines(batch))
            return
        await _send_json(send, _describe(batch_id, batch, url=self.url))

    def _lines(self, batch: _Batch) -> list[Json]:
        """One line an item, the last first: order means nothing. Made once, as they are kept."""
        if batch.lines is None:
            script = self._scripts.get("items", _Script())
            batch.lines = [
                {"custom_id": request["custom_id"], "result": self._result(request["params"], step)}
                for request, step in [(r, script.next()) for r in batch.requests]
                if not (batch.canceled and step.kind is Kind.OK)
            ]
            done = {line["custom_id"] for line in batch.lines}
            batch.lines += [
                {"custom_id": request["custom_id"], "result": {"type": "canceled"}}
                for request in batch.requests
                if request["custom_id"] not in done
            ]
            batch.lines.reverse()
        return batch.lines

    def _result(self, params: Json, step: Step) -> Json:
        if step.kind in {Kind.EXPIRED, Kind.CANCELED}:
            return {"type": step.kind.value}
        if step.kind is Kind.ERRORED:
            error = {"type": step.error or "api_error", "message": "Internal server error"}
            return {"type": "errored", "error": {"type": "error", "error": error}}
        message = self._message(params, step)
        message["usage"]["service_tier"] = "batch"
        return {"type": "succeeded", "message": message}

    def _message(self, body: Json, step: Step) -> Json:
        self._n_replies += 1
        text = self._text(body, step)
        if step.kind is Kind.OK and text is not None and count_tokens(text) > body["max_tokens"]:
            step, text = Step.of(Kind.MAX_TOKENS), text[: 4 * body["max_tokens"]]
        reasons = {
            Kind.REFUSAL: "refusal",
            Kind.MAX_TOKENS: "max_tokens",
            Kind.THINKING_ONLY: "max_tokens",
            Kind.TOOL_USE: "tool_use",
        }
        content: list[Json] = [{"type": "thinking", "thinking": "", "signature": "c3RhbmQtaW4="}]
        if body.get("thinking", {}).get("type") == "disabled":
            content = []
        if text is not None:
            content.append({"type": "text", "text": text})
        if step.kind is Kind.TOOL_USE:
            tool = body.get("tools", [{"name": "none", "input_schema": {"type": "object"}}])[0]
            value = make_value(tool["input_schema"], root=tool["input_schema"])
            content.append(
                {"type": "tool_use", "id": "toolu_01", "name": tool["name"], "input": value}
            )
        refused = {"type": "refusal", "category": step.category, "explanation": None}
        return {
            "id": f"msg_{self._n_replies:04d}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": reasons.get(step.kind, "end_turn"),
            "stop_sequence": None,
            "stop_details": refused if step.kind is Kind.REFUSAL else None,
            "usage": self._accounts.usage(body, text=text or ""),
        }

    def _text(self, body: Json, step: Step) -> str | None:
        match step.kind:
            case Kind.THINKING_ONLY | Kind.TOOL_USE:
                return None
            case Kind.REFUSAL:
                return "I can't help with that."
            case Kind.EMPTY:
                return ""
            case Kind.WRONG_SHAPE:
                return '{"unheard_of": true}'
        good = step.text if step.text is not None else self._good_text(body)
        if step.kind is Kind.MAX_TOKENS or step.kind is Kind.MALFORMED:
            return good[: max(1, len(good) // 2)]
        return good

    def _good_text(self, body: Json) -> str:
        if self._answer is not None:
            return json.dumps(self._answer(body), ensure_ascii=False)
        shape = body.get("output_config", {}).get("format")
        if shape is None:
            return "Words of the stand-in."
        return json.dumps(make_value(shape["schema"], root=shape["schema"]), ensure_ascii=False)


def _route(method: str, path: str) -> tuple[str, str]:
    """Which thing is asked for, and the batch's id; empty for what does not exist."""
    parts = path.strip("/").split("/")
    if parts[:2] != ["v1", "messages"]:
        return "", ""
    match method, parts[2:]:
        case "POST", []:
            return "messages", ""
        case "POST", ["count_tokens"]:
            return "count_tokens", ""
        case "POST", ["batches"]:
            return "batches", ""
        case "GET", ["batches", batch_id]:
            return "poll", batch_id
        case "GET", ["batches", batch_id, "results"]:
            return "results", batch_id
        case "POST", ["batches", batch_id, "cancel"]:
            return "cancel", batch_id
    return "", ""


def _header_fault(headers: dict[str, str]) -> tuple[int, str, str] | None:
    if headers.get("authorization") != f"Bearer {KEY}":
        return 401, "authentication_error", "invalid bearer token"
    if headers.get("anthropic-version") != VERSION:
        return 400, "invalid_request_error", f"anthropic-version: expected {VERSION}"
    return None


def _describe(batch_id: str, batch: _Batch, *, url: str) -> Json:
    ended = batch.polls_left <= 0
    status = "ended" if ended else "canceling" if batch.canceled else "in_progress"
    n = len(batch.requests)
    counts = {"processing": 0 if ended else n, "succeeded": n if ended else 0}
    return {
        "id": batch_id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {**counts, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": "2026-11-22T00:00:00Z",
        "expires_at": "2026-11-23T00:00:00Z",
        "ended_at": "2026-11-22T00:10:00Z" if ended else None,
        "results_url": f"{url}/v1/messages/batches/{batch_id}/results" if ended else None,
    }


async def _goes_wrong(step: Step, send: Send) -> bool:
    """Do what needs no message: errors, silence, pages; False where an answer is due."""
    match step.kind:
        case Kind.STATUS:
            extra = {"retry-after": step.retry_after, "x-should-retry": step.should_retry}
            headers = {name: value for name, value in extra.items() if value is not None}
            await _send_error(
                send, step.status, step.error, "As the script says", code=step.error_code, **headers
            )
        case Kind.HANG:
            await asyncio.sleep(_FOREVER)
        case Kind.HEADER_DRIP:
            await _start(send, 200, {"content-type": "application/json"})
            await asyncio.sleep(_FOREVER)
        case Kind.DRIP:
            await _start(send, 200, {"content-type": "application/json"})
            while True:
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.sleep(step.seconds)
        case Kind.DROP:
            await _start(send, 200, {"content-type": "application/json", "content-length": "999"})
            await send({"type": "http.response.body", "body": b'{"id":', "more_body": True})
        case Kind.HTML:
            await _send_raw(send, 200, _HTML, {"content-type": "text/html; charset=utf-8"})
        case Kind.BROKEN_BODY:
            await _send_raw(send, 200, b'{"id": "msg_', {"content-type": "application/json"})
        case Kind.OTHER_JSON:
            await _send_json(send, {"hello": "world"})
        case _:
            return False
    return True


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"request-id", b"req_standin"))
    await send({"type": "http.response.start", "status": status, "headers": raw})


async def _send_raw(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    await _start(send, status, headers | {"content-length": str(len(body))})
    await send({"type": "http.response.body", "body": body})


async def _send_json(send: Send, value: Json, status: int = 200, **headers: str) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    await _send_raw(send, status, body, {"content-type": "application/json"} | headers)


async def _send_error(
    send: Send, status: int, kind: str, words: str, *, code: str | None = None, **headers: str
) -> None:
    error: Json = {"type": kind, "message": words}
    if code is not None:
        error["details"] = {"error_code": code}
    value = {"type": "error", "error": error, "request_id": "req_standin"}
    await _send_json(send, value, status, **headers)


async def _send_lines(send: Send, lines: list[Json]) -> None:
    body = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
    await _send_raw(send, 200, body, {"content-type": "application/x-jsonl"})
