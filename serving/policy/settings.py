"""The policy's settings: a YAML file beside its schema, with a digest that records carry."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigurationError
from features.vocabulary import Arm, Channel, Priority, Trigger
from serving.faults import describe_validation

Model = TypeVar("Model", bound=BaseModel)

_DEFAULTS = Path(__file__).with_name("defaults.yaml")

CHANNELS: tuple[Channel, ...] = tuple(Channel)


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuietHours(_Settings):
    """Hours of the local day in which nothing but critical messages is sent."""

    from_hour: int = Field(ge=0, le=23)
    to_hour: int = Field(ge=0, le=23)


class Fatigue(_Settings):
    """How many messages a customer bears; a notice over several channels counts once."""

    max_per_day: int = Field(ge=1)
    max_per_week: int = Field(ge=1)
    unopened_per_week: int = Field(ge=1)


class TriggerRule(_Settings):
    """What the rules policy does about one trigger, and what it is worth.

    Attributes:
        channels: Channels used together.
        prior: Or the expected response by channel, of which the best allowed is used.
        priority: Of the trigger.
        delay_hours: Delay of the rules policy; `next_active` waits for the next active period.
        cool_down_hours: No second message about this trigger within as many hours.
        p_call: Probability that an unanswered case makes the customer call support.
        prevented_share: Share of these calls that a notice prevents when it is seen.
        kept_share: Share of these customers whom a message that is seen keeps from leaving.
        half_life_hours: Time in which the occasion loses half its worth.
    """

    channels: tuple[Channel, ...] = ()
    prior: dict[Channel, float] = Field(default_factory=dict)
    priority: Priority
    delay_hours: float | Literal["next_active"]
    cool_down_hours: float = Field(ge=0)
    p_call: float = Field(default=0.0, ge=0, le=1)
    prevented_share: float = Field(default=0.0, ge=0, le=1)
    kept_share: float = Field(default=0.0, ge=0, le=1)
    half_life_hours: float = Field(gt=0)

    @model_validator(mode="after")
    def _has_one_way_to_a_channel(self) -> Self:
        if bool(self.channels) == bool(self.prior):
            raise ValueError("name either channels (used together) or a prior over channels")
        return self

    @property
    def is_together(self) -> bool:
        """Whether the rules use more than one channel at once."""
        return len(self.channels) > 1

    @property
    def is_at_once(self) -> bool:
        """Whether it goes out at once, whatever the hour of the customer's week promises."""
        return self.delay_hours == 0


class LearnedSettings(_Settings):
    """How the learned policy proposes and explores."""

    slot_offsets_hours: tuple[float, ...]
    temperature_cents: float = Field(gt=0)
    floor: float = Field(gt=0, lt=1)
    incremental_share: float = Field(ge=0, le=1)
    messages_per_month: float = Field(ge=0)
    lost_per_unsubscribe: float = Field(ge=0, le=1)


class RewardSettings(_Settings):
    """When a message has had its chance."""

    window_days: int = Field(gt=0)


class PolicySettings(_Settings):
    """Everything that decides beside models and guards' code."""

    name: str
    experiment: str
    arms: dict[Arm, float]
    quiet_hours: QuietHours
    fatigue: Fatigue
    triggers: dict[Trigger, TriggerRule]
    learned: LearnedSettings
    reward: RewardSettings

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if missing := [t.value for t in Trigger if t not in self.triggers]:
            raise ValueError(f"triggers without a rule: {', '.join(missing)}")
        if set(self.arms) != set(Arm) or any(share < 0 for share in self.arms.values()):
            raise ValueError(f"arms must give a share to each of {', '.join(Arm)}")
        if abs(sum(self.arms.values()) - 1) > 1e-9:
            raise ValueError(
                f"the shares of the arms add up to {sum(self.arms.values())}, not to 1"
            )
        return self

    @cached_property
    def version(self) -> str:
        """Name and digest; two policies with the same version decide alike."""
        digest = hashlib.blake2b(self.model_dump_json().encode(), digest_size=5).hexdigest()
        return f"{self.name}@{digest}"


def read_settings_file(path: Path, kind: type[Model], *, what: str) -> Model:
    """A YAML file as settings of that kind; ConfigurationError says what is wrong with it."""
    try:
        return kind.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as fault:
        raise ConfigurationError(f"{what} {path}: {describe_validation(fault)}") from fault
    except yaml.YAMLError as fault:
        raise ConfigurationError(f"{what} {path}: not YAML: {fault}") from fault
    except OSError as fault:
        raise ConfigurationError(f"{what} {path}: {fault.strerror}") from fault


def load_policy_settings(path: Path | None = None) -> PolicySettings:
    """The settings in that file, or the ones that ship; ConfigurationError names every fault.

    >>> load_policy_settings().triggers[Trigger.DELIVERY_DELAY].channels
    (<Channel.SMS: 'sms'>, <Channel.PUSH: 'push'>)
    """
    return read_settings_file(path or _DEFAULTS, PolicySettings, what="policy settings")
