"""The policy's settings: a YAML file beside its schema, with a digest that records carry."""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigurationError
from features.vocabulary import Arm, Channel, Priority, Trigger
from serving.faults import describe_validation
from serving.policy.budgets import Budget
from training.bandit.rewards.rule import RewardGoal

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
        saved_share: Share of those who would leave whom a message that is seen keeps.
        p_churn_unscored: Share of these customers who would leave, where there is no churn score.
        half_life_hours: Time in which the occasion loses half its worth.
        log_age_hours: Age of such an occasion when the log's messages about it were sent.
    """

    channels: tuple[Channel, ...] = ()
    prior: dict[Channel, float] = Field(default_factory=dict)
    priority: Priority
    delay_hours: float | Literal["next_active"]
    cool_down_hours: float = Field(ge=0, le=31 * 24)  # no contact is looked up that is older
    p_call: float = Field(default=0.0, ge=0, le=1)
    prevented_share: float = Field(default=0.0, ge=0, le=1)
    saved_share: float = Field(default=0.0, ge=0, le=1)
    p_churn_unscored: float = Field(default=0.0, ge=0, le=1)
    half_life_hours: float = Field(gt=0)
    log_age_hours: float = Field(default=10.0, ge=0)

    @model_validator(mode="after")
    def _has_one_way_to_a_channel(self) -> Self:
        if bool(self.channels) == bool(self.prior):
            raise ValueError("name either channels (used together) or a prior over channels")
        return self

    @property
    def ranked(self) -> tuple[Channel, ...]:
        """Channels that the rules use, the best first; equals in the vocabulary's order."""
        listed = [channel for channel in CHANNELS if channel in self.prior]
        return tuple(sorted(listed, key=lambda channel: -self.prior[channel])) or self.channels

    @property
    def is_together(self) -> bool:
        """Whether the rules use more than one channel at once."""
        return len(self.channels) > 1

    @property
    def is_at_once(self) -> bool:
        """Whether it goes out at once, whatever the hour of the customer's week promises."""
        return self.delay_hours == 0


class LearnedSettings(_Settings):
    """How the learned policy proposes, values and explores.

    Attributes:
        slot_offsets_hours: Candidate moments after the decision.
        most_channels: Channels that a notice about a service case may go out on at once; the
            rules' own set may be larger.
        temperature_cents: Least temperature of the softmax over values.
        temperature_share: Temperature over the error of what the best action brings.
        wide_share: Probability given to a softmax four times as warm.
        floor: Probability spread evenly over the allowed actions.
        incremental_share: Of the conversions after a message that it caused, until it is measured.
        believed_share: Weight of that, and of the rules' beliefs, beside measured effects.
        caution: Standard errors of its level by which a measured effect counts less.
        believed_error: Relative error of what is believed.
        lost_per_unsubscribe: Customers lost by annoyance for each one who unsubscribes.
        message_month_cents: Margin that a month of messages brings from the mean customer.
        saturation_share: Notice that a message takes from those sent right after it.
        recovery_hours: Time in which what a message took falls by e.
        log_load: Mean load of the log's messages, in messages.
        sms_segments: Segments of an SMS by language; one where the language is not listed.
    """

    slot_offsets_hours: tuple[float, ...]
    most_channels: int = Field(ge=1, le=len(CHANNELS))
    temperature_cents: float = Field(gt=0)
    temperature_share: float = Field(ge=0)
    wide_share: float = Field(ge=0, lt=1)
    floor: float = Field(gt=0, lt=1)
    incremental_share: float = Field(ge=0, le=1)
    believed_share: float = Field(ge=0, le=1)
    caution: float = Field(ge=0)
    believed_error: float = Field(ge=0, le=1)
    lost_per_unsubscribe: float = Field(ge=0, le=1)
    message_month_cents: float = Field(ge=0)
    saturation_share: float = Field(ge=0, le=1)
    recovery_hours: float = Field(gt=0)
    log_load: float = Field(ge=0)
    sms_segments: dict[str, int]

    def count_sms_segments(self, language: str) -> int:
        """Segments of an SMS in that language."""
        return self.sms_segments.get(language, 1)


class Reach(_Settings):
    """When a channel counts as one that messages do not arrive on.

    Attributes:
        bounces: So many bounces since the last message that arrived.
        within_days: Bounces that are older do not count.
    """

    bounces: int = Field(default=2, ge=1)
    within_days: int = Field(default=180, gt=0)


class DisruptionSettings(_Settings):
    """Whether marketing rests in a region while a disruption is going on there.

    Attributes:
        pause_marketing: Each disruption that is told of is an incident while it lasts.
        at_most_days: So long after its start, where no end is told.
    """

    pause_marketing: bool = True
    at_most_days: float = Field(default=7.0, gt=0)


class RewardSettings(_Settings):
    """What messages are sent for, and when they have had their chance.

    Attributes:
        window_days: Days after sending in which an outcome counts.
        marketing: What marketing messages are sent for.
        service: What messages about a problem, or an order, of the customer's own are sent for.
    """

    window_days: int = Field(gt=0)
    marketing: RewardGoal = RewardGoal.CONVERSION
    service: RewardGoal = RewardGoal.NO_CALL


class VariantSettings(_Settings):
    """How variants that people approved join those that ship.

    Attributes:
        new_share: The most that new ones get together of the learned arm's choice of words.
        new_trials: So many messages must have had their chance before one counts as known.
    """

    new_share: float = Field(default=0.10, gt=0, le=1)
    new_trials: int = Field(default=300, ge=0)


class PolicySettings(_Settings):
    """Everything that decides beside models and guards' code.

    Attributes:
        name: Of the policy.
        experiment: Salt of the arms; other shares need another name.
        arms: Share of the customers by arm.
        quiet_hours: When customers sleep.
        fatigue: How many messages a customer bears.
        triggers: What is done about each.
        learned: How the learned policy proposes and explores.
        reward: When a message has had its chance.
        reach: When a channel counts as one that messages do not arrive on.
        disruptions: Whether marketing rests while one is going on.
        marketing_consent: Whether consent to a channel covers marketing unless the customer said no
            to that (`channel`), or marketing needs a yes of its own (`own`).
        budgets: What may be spent.
        variants: How approved variants join those that ship.
    """

    name: str
    experiment: str
    arms: dict[Arm, float]
    quiet_hours: QuietHours
    fatigue: Fatigue
    triggers: dict[Trigger, TriggerRule]
    learned: LearnedSettings
    reward: RewardSettings
    reach: Reach = Reach()
    disruptions: DisruptionSettings = DisruptionSettings()
    marketing_consent: Literal["channel", "own"] = "channel"
    budgets: tuple[Budget, ...] = ()
    variants: VariantSettings = VariantSettings()

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
        names = [budget.name for budget in self.budgets]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two budgets of one name: {', '.join(twice)}")
        return self

    @cached_property
    def version(self) -> str:
        """Name and digest of what it says, in whatever order its keys are written.

        Two policies with the same version decide alike. What earlier releases could not say is
        left out where it says nothing new: policies of their logs keep their versions.
        """
        unsaid = {"variants"} if self.variants == VariantSettings() else set()
        content = json.dumps(self.model_dump(mode="json", exclude=unsaid), sort_keys=True)
        digest = hashlib.blake2b(content.encode(), digest_size=5).hexdigest()
        return f"{self.name}@{digest}"


def read_settings_file(
    path: Path, kind: type[Model], *, what: str, tells_values: bool = False
) -> Model:
    """A YAML file as settings of that kind; ConfigurationError says what is wrong with it.

    Args:
        path: The file.
        kind: Of settings.
        what: They are called in errors.
        tells_values: Whether errors tell single values; not where a file may hold a secret.
    """
    try:
        content: object = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            found = "nothing" if content is None else f"a {type(content).__name__}"
            raise ConfigurationError(
                f"{what} {path}: expected names with their values (`name: value`), found {found}"
            )
        return kind.model_validate(content)
    except ValidationError as fault:
        described = describe_validation(fault, tells_values=tells_values)
        raise ConfigurationError(f"{what} {path}: {described}") from fault
    except yaml.YAMLError as fault:
        raise ConfigurationError(f"{what} {path}: not YAML: {fault}") from fault
    except UnicodeDecodeError as fault:
        raise ConfigurationError(f"{what} {path}: not UTF-8: {fault.reason}") from fault
    except OSError as fault:
        raise ConfigurationError(f"{what} {path}: {fault.strerror}") from fault


def load_policy_settings(path: Path | None = None) -> PolicySettings:
    """The settings in that file, or the ones that ship; ConfigurationError names every fault.

    >>> load_policy_settings().triggers[Trigger.DELIVERY_DELAY].channels
    (<Channel.SMS: 'sms'>, <Channel.PUSH: 'push'>)
    """
    return read_settings_file(
        path or _DEFAULTS, PolicySettings, what="policy settings", tells_values=True
    )
