"""Secrets of settings files: a file names a variable of the environment, and holds no secret."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from features.errors import ConfigurationError

LEAST_BYTES: Final = 24
"""Of a secret that signs, decoded: what Standard Webhooks asks for at least."""


class SecretRef(BaseModel):
    """Where a secret is.

    Attributes:
        env: Name of the variable that holds it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


class SigningRef(SecretRef):
    """Where a secret is that signs webhooks: `whsec_` and base64, as Standard Webhooks has it."""


@dataclass(frozen=True)
class Secrets:
    """The environment, of which only secrets that are named are read.

    Attributes:
        environment: Variables with their values; never shown.
    """

    environment: Mapping[str, str] = field(repr=False)

    def read(self, ref: SecretRef) -> str:
        """The secret; ConfigurationError where the variable is missing, empty or unfit."""
        self.require([ref])
        return self.environment[ref.env]

    def require(self, refs: list[SecretRef]) -> None:
        """ConfigurationError names all the variables that are missing, empty or cannot sign."""
        missing = sorted({ref.env for ref in refs if not self.environment.get(ref.env)})
        faults = [f"expected {', '.join(missing)}, found nothing"] if missing else []
        signing = sorted({ref.env for ref in refs if isinstance(ref, SigningRef)} - {*missing})
        found = {name: _find_fault(self.environment[name]) for name in signing}
        faults += [f"{name}: {fault}" for name, fault in found.items() if fault is not None]
        if faults:
            raise ConfigurationError(f"environment: {'; '.join(faults)}")


def _find_fault(secret: str) -> str | None:
    """Why a secret cannot sign; None where it can. It is never repeated."""
    try:
        n_bytes = len(b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:  # no base64, no ASCII
        return "expected whsec_ and base64 (Standard Webhooks)"
    if n_bytes >= LEAST_BYTES:
        return None
    return f"a secret of {n_bytes} bytes, expected at least {LEAST_BYTES} (Standard Webhooks)"


def list_secrets(settings: object) -> Iterator[SecretRef]:
    """Every reference in settings, however deep."""
    if isinstance(settings, SecretRef):
        yield settings
    elif isinstance(settings, BaseModel):
        for _, value in settings:
            yield from list_secrets(value)
    elif isinstance(settings, Mapping):
        for value in settings.values():
            yield from list_secrets(value)
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from list_secrets(value)
