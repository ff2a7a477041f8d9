"""The edge's settings, from the environment (`OPPORTUNE_*`); nothing else reads it."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from features.errors import ConfigurationError
from serving.copywriter.settings import ClaudeSettings


class Scope(StrEnum):
    """What a key may do."""

    DECIDE = "decide"
    OUTCOMES = "outcomes"
    EVENTS = "events"
    INBOUND = "inbound"
    READ = "read"


class ApiKey(BaseModel):
    """A bearer key and what it may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: SecretStr = Field(min_length=16)
    scopes: frozenset[Scope]


_GROUP = "anthropic"


class _Variables(EnvSettingsSource):
    """The environment, where the fields of one group have variables of their own."""

    def explode_env_vars(
        self, field_name: str, field: FieldInfo, env_vars: Mapping[str, str | None]
    ) -> dict[str, Any]:
        """Only of that group: OPPORTUNE_API_KEYS_FILE is no key of somebody called `file`."""
        if field_name != _GROUP:
            return {}
        return super().explode_env_vars(field_name, field, env_vars)


class Settings(BaseSettings):
    """Everything that differs between installations.

    Attributes:
        home: Folder of the state: registry, store, snapshots, reports.
        store: URL of the store's database, e.g. postgresql+psycopg://user:password@host/name; a
            SQLite file in the home when not given.
        policy: Policy file; when not given the promoted one of the home, or the one that ships.
        economics: Prices file; the one that ships when not given.
        risk: File of the churn risk rules; the one that ships when not given.
        voice: File of the brand's voice, for whoever writes variants; a plain one when not given.
        offers: File of approved offers; none when not given.
        drafting: File of what is drafted and who approves; the one that ships when not given.
        playbooks: File of what is done about customers who may be lost; the one that ships when not
            given.
        corridor: File of what may be done without asking; the one that ships when not given.
        autopilot: File of what is done about incidents; the one that ships when not given.
        detector: File that `opportune autopilot prepare` made; `detector.json` of the home when not
            given, and where there is none what is usual is assumed.
        taxonomy: What customers complain about, where no detector says: `salon`, `delivery`, or a
            file.
        zone: IANA name of the chain's time zone, likewise.
        transports: File of how messages leave the machine, for `opportune deliver --live`.
        parties: File of who can be told something, and how.
        anchor_key: File of the key that signs the head of the log once a day, by `opportune act`;
            no such anchors are made when not given.
        anchor_folder: Folder elsewhere that keeps them; the owner is told them when not given.
        api_keys: Keys by the name of who holds them, as JSON:
            {"shop": {"key": "...", "scopes": ["decide", "outcomes"]}}.
        clock: `system` reads the wall clock; `caller` takes `decided_at` from the request and is
            meant for rehearsals.
        served_share: Of decisions by models, how many leave the features they read in the store, so
            that `opportune parity` can compare them with the tables.
        brand: Name that the texts speak in.
        currency: ISO code of the amounts in texts.
        console_url: Address under which people open the console, such as
            https://decide.example.com/console; that of host and port when not given. Other host
            names are refused; https says that cookies may only travel encrypted.
        site_url: Where the buttons of the texts lead.
        unsubscribe_url: Link at the end of marketing e-mails.
        host: Address to listen on.
        port: Port to listen on.
        workers: Processes that serve.
        metrics: Whether Prometheus metrics are kept (about 50 us a request).
        anthropic: The Messages API; each field has a variable, such as OPPORTUNE_ANTHROPIC_API_KEY.
    """

    model_config = SettingsConfigDict(
        env_prefix="OPPORTUNE_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        frozen=True,
        extra="ignore",
    )

    home: Path = Path(".opportune")
    store: SecretStr | None = None
    policy: Path | None = None
    economics: Path | None = None
    risk: Path | None = None
    voice: Path | None = None
    offers: Path | None = None
    drafting: Path | None = None
    playbooks: Path | None = None
    corridor: Path | None = None
    autopilot: Path | None = None
    detector: Path | None = None
    taxonomy: str = "salon"
    zone: str = "Asia/Almaty"
    transports: Path | None = None
    parties: Path | None = None
    anchor_key: Path | None = None
    anchor_folder: Path | None = None
    api_keys: dict[str, ApiKey] = Field(default_factory=dict)
    clock: Literal["system", "caller"] = "system"
    served_share: float = Field(default=1.0, ge=0, le=1)
    brand: str = "Opportune"
    currency: str = "USD"
    console_url: str | None = Field(default=None, pattern=r"^https?://[^/?#\s]+/console$")
    site_url: str = "https://example.com"
    unsubscribe_url: str = "https://example.com/unsubscribe"
    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64)
    metrics: bool = True
    anthropic: ClaudeSettings = ClaudeSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the signature is the library's
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is given, then the environment."""
        return init_settings, _Variables(settings_cls)

    @property
    def store_place(self) -> Path | str:
        """Where the store is: a file or a URL."""
        return self.home / "store.db" if self.store is None else self.store.get_secret_value()

    @property
    def promoted_policy(self) -> Path:
        """Where `opportune promote policy` puts the policy that runs."""
        return self.home / "policies" / "promoted.yaml"

    @property
    def policy_file(self) -> Path | None:
        """The policy that runs: the one that is named, else the promoted one; None: the shipped."""
        if self.policy is None and self.promoted_policy.exists():
            return self.promoted_policy
        return self.policy

    @property
    def detector_file(self) -> Path:
        """The detector of complaints, as it was prepared."""
        return self.detector or self.home / "detector.json"

    @property
    def console_address(self) -> str:
        """Where people open the console; its pages begin with it."""
        return self.console_url or f"http://{self.host}:{self.port}/console"

    @property
    def snapshots(self) -> Path:
        """The published snapshots."""
        return self.home / "snapshots"

    @property
    def bandit(self) -> Path:
        """Versions of the bandit, as the learner publishes them."""
        return self.home / "bandit"

    @property
    def registry(self) -> Path:
        """MLflow's database and artifacts."""
        return self.home / "mlflow"

    def to_environment(self) -> dict[str, str]:
        """The variables from which another process reads these settings; holds the keys."""
        keys = {
            name: {"key": key.key.get_secret_value(), "scopes": sorted(key.scopes)}
            for name, key in self.api_keys.items()
        }
        hidden = {"api_keys", "home", "store", _GROUP}
        plain = self.model_dump(mode="json", exclude=hidden, exclude_none=True)
        store = {} if self.store is None else {"OPPORTUNE_STORE": self.store.get_secret_value()}
        group = {
            f"{_GROUP}_{name}": value.get_secret_value() if isinstance(value, SecretStr) else value
            for name, value in self.anthropic
            if value is not None
        }
        return {
            "OPPORTUNE_HOME": str(self.home.resolve()),
            **store,
            "OPPORTUNE_API_KEYS": json.dumps(keys),
            **{f"OPPORTUNE_{name.upper()}": str(value) for name, value in (plain | group).items()},
        }


def read_settings() -> Settings:
    """Settings of this process; ConfigurationError names every variable that is wrong."""
    try:
        return Settings()
    except ValidationError as fault:
        faults = "; ".join(
            f"{_name_variable(error['loc'])}: {error['msg']}"
            for error in fault.errors(include_input=False)
        )
        raise ConfigurationError(f"environment: {faults}") from None
    except SettingsError as fault:
        raise ConfigurationError(f"environment: {fault}; expected JSON") from None


def _name_variable(place: tuple[int | str, ...]) -> str:
    """The variable that holds a place of the settings, and where in it.

    >>> _name_variable(("anthropic", "max_usd")), _name_variable(("api_keys", "shop", "key"))
    ('OPPORTUNE_ANTHROPIC_MAX_USD', 'OPPORTUNE_API_KEYS shop key')
    """
    n_names = 2 if place[:1] == (_GROUP,) else 1
    name = "_".join(str(part) for part in ("opportune", *place[:n_names])).upper()
    return " ".join((name, *(str(part) for part in place[n_names:])))
