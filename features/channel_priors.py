"""What is believed of messages before any was sent, as data (`channel_priors.yaml`).

The channel model starts from it, and falls back to it where a company has sent too little.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.errors import ConfigurationError
from features.vocabulary import Channel, Outcome, Trigger

_DEFAULTS = Path(__file__).with_name("channel_priors.yaml")

Share = Annotated[float, Field(gt=0, lt=1)]


class ConvertedOfOpened(BaseModel):
    """Share of opened messages that convert, by whether the trigger sells something."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    marketing: Share
    service: Share


class ChannelPriors(BaseModel):
    """Shares of messages of which something comes, before any was sent.

    Attributes:
        opened: By trigger and channel, complete.
        delivered: By channel, complete.
        unsubscribed: By channel, complete.
        clicked_of_opened: Share of opened messages.
        converted_of_opened: Share of opened messages.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    opened: dict[Trigger, dict[Channel, Share]]
    delivered: dict[Channel, Share]
    unsubscribed: dict[Channel, Share]
    clicked_of_opened: Share
    converted_of_opened: ConvertedOfOpened

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        tables = {
            "delivered": self.delivered,
            "unsubscribed": self.unsubscribed,
            **{f"opened.{trigger}": rates for trigger, rates in self.opened.items()},
        }
        lacking = [f"opened.{trigger}" for trigger in Trigger if trigger not in self.opened]
        lacking += [
            f"{name}.{channel}"
            for name, rates in tables.items()
            for channel in Channel
            if channel not in rates
        ]
        if lacking:
            raise ValueError(f"a rate is missing for {', '.join(lacking)}")
        return self

    def rate(self, outcome: Outcome, *, trigger: Trigger, channel: Channel) -> float:
        """P(outcome) of a message; ConfigurationError for outcomes without a prior.

        >>> default_channel_priors().rate(
        ...     Outcome.OPENED, trigger=Trigger.ABANDONED_CART, channel=Channel.SMS)
        0.12
        """
        p_opened = self.opened[trigger][channel]
        match outcome:
            case Outcome.DELIVERED:
                return self.delivered[channel]
            case Outcome.OPENED:
                return p_opened
            case Outcome.CLICKED:
                return p_opened * self.clicked_of_opened
            case Outcome.CONVERTED:
                sells = self.converted_of_opened
                return p_opened * (sells.service if trigger.is_service else sells.marketing)
            case Outcome.UNSUBSCRIBED:
                return self.unsubscribed[channel]
        raise ConfigurationError(f"there is no prior for the outcome {outcome}")


def load_channel_priors(path: Path) -> ChannelPriors:
    """The priors in that file; ConfigurationError names every fault."""
    try:
        return ChannelPriors.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as fault:
        found = "; ".join(
            f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in fault.errors()
        )
        raise ConfigurationError(f"channel priors {path}: {found}") from fault
    except yaml.YAMLError as fault:
        raise ConfigurationError(f"channel priors {path}: not YAML: {fault}") from fault
    except OSError as fault:
        raise ConfigurationError(f"channel priors {path}: {fault.strerror}") from fault


@cache
def default_channel_priors() -> ChannelPriors:
    """The priors that ship with Opportune."""
    return load_channel_priors(_DEFAULTS)
