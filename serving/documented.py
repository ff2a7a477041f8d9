"""The service's OpenAPI document: BentoML's frame around our own bodies, answers and refusals.

BentoML's own says neither which fields may be null nor what a refusal looks like, and leaves out
the statuses of whoever stands before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from inspect import cleandoc
from typing import Any, Self, get_type_hints

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.access import is_open
from serving.by_get import document_gets

_REFERENCE = "#/components/schemas/{model}"
_BEARER = {"type": "http", "scheme": "bearer", "description": "A key of OPPORTUNE_API_KEYS."}
_MEANT = {
    HTTPStatus.BAD_REQUEST: "A wrong body; `detail` names each field.",
    HTTPStatus.UNAUTHORIZED: "No known key.",
    HTTPStatus.FORBIDDEN: "The key lacks the scope.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not a POST.",
    HTTPStatus.CONFLICT: "A key or a moment that contradicts what was told before.",
    HTTPStatus.LENGTH_REQUIRED: "A body without a Content-Length.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "A body that is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "A body that is not JSON.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "A fault of ours.",
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "No snapshot, a model of other features, or `busy`: another process writes."
    ),
    HTTPStatus.GATEWAY_TIMEOUT: "No answer in time.",
}
_TAGS = {
    "Service APIs": "Decide, report what came of it, ask.",
    "Infrastructure": "Whether it lives, whether it is ready, what it measures.",
}


class Fault(BaseModel):
    """What is wrong with one field of a body.

    Attributes:
        loc: Where, from the outside in; empty for the body as a whole.
        msg: What.
    """

    loc: list[str | int]
    msg: str


class Refusal(BaseModel):
    """What is answered in place of a result.

    Attributes:
        error: A code.
        message: In words.
        detail: Of a wrong body, each fault.
    """

    error: str
    message: str = ""
    detail: list[Fault] = []


@dataclass(frozen=True)
class Endpoint:
    """A path of the service, what it takes and what it gives."""

    path: str
    question: type[BaseModel]
    answer: type[BaseModel]

    @classmethod
    def all_of(cls, service: Any) -> tuple[Self, ...]:
        """Every endpoint of a BentoML service whose methods take and give one model each."""
        found = []
        for api in service.apis.values():
            hints = get_type_hints(api.func)
            answer = hints.pop("return")
            (question,) = hints.values()
            found.append(cls(api.route, question, answer))
        return tuple(found)


@dataclass(frozen=True)
class Documentation:
    """How the service is introduced.

    Attributes:
        description: In Markdown.
        endpoints: What is documented in full.
    """

    description: str
    endpoints: Sequence[Endpoint]

    # An OpenAPI document is somebody else's shape, passed on with parts replaced.
    def complete(self, document: dict[str, Any]) -> dict[str, Any]:
        """BentoML's document with our words, schemas, statuses and keys."""
        references, schemas = _make_schemas(self.endpoints)
        document["openapi"] = "3.1.0"  # whose schemas are pydantic's
        document["info"] = {
            "title": "Opportune",
            "version": version("opportune"),
            "description": self.description,
        }
        document["tags"] = [{"name": name, "description": _TAGS[name]} for name in _TAGS]
        document["components"] = {"schemas": schemas, "securitySchemes": {"key": _BEARER}}
        document["security"] = [{"key": []}]
        for endpoint in self.endpoints:
            post = document["paths"][endpoint.path]["post"]
            question = references[endpoint.question]
            is_needed = "required" in schemas[question["$ref"].rsplit("/", maxsplit=1)[-1]]
            post["requestBody"] = {"required": is_needed, "content": _as_json(question)}
            post["responses"] = _list_answers(references[endpoint.answer])
            post["description"] = cleandoc(post.get("description", ""))
        for path in filter(is_open, document["paths"]):
            for operation in document["paths"][path].values():
                operation["security"] = []
        return document_gets(document)


def _make_schemas(
    endpoints: Sequence[Endpoint],
) -> tuple[dict[type[BaseModel], dict[str, Any]], dict[str, Any]]:
    """A reference to the schema of each model, and all schemas by name."""
    taken = [(endpoint.question, "validation") for endpoint in endpoints]
    given = [(endpoint.answer, "serialization") for endpoint in endpoints]
    models: Any = [*taken, *given, (Refusal, "serialization")]
    found, whole = models_json_schema(models, ref_template=_REFERENCE)
    references: dict[Any, dict[str, Any]] = {model: found[model, mode] for model, mode in found}
    return references, whole["$defs"]


def _list_answers(answer: dict[str, Any]) -> dict[str, Any]:
    refusal = _as_json({"$ref": _REFERENCE.format(model=Refusal.__name__)})
    refusals = {
        str(status.value): {"description": meant, "content": refusal}
        for status, meant in _MEANT.items()
    }
    return {"200": {"description": "The answer.", "content": _as_json(answer)}, **refusals}


def _as_json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
