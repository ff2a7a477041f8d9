"""Secrets of settings files: a file names a variable of the environment, and holds no secret."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from features.errors import ConfigurationError


class SecretRef(BaseModel):
    """Where a secret is.

    Attributes:
        env: Name of the variable that holds it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    env: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")


@dataclass(frozen=True)
class Secrets:
    """The environment, of which only secrets that are named are read.

    Attributes:
        environment: Variables with their values; never shown.
    """

    environment: Mapping[str, str] = field(repr=False)

    def read(self, ref: SecretRef) -> str:
        """The secret; ConfigurationError where the variable is missing or empty."""
        self.require([ref])
        return self.environment[ref.env]

    def require(self, refs: list[SecretRef]) -> None:
        """ConfigurationError names all the variables that are missing or empty."""
        missing = sorted({ref.env for ref in refs if not self.environment.get(ref.env)})
        if missing:
            raise ConfigurationError(f"environment: expected {', '.join(missing)}, found nothing")


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
