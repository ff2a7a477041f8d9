"""What things cost and what they are worth, as data (`economics.yaml`).

Worlds and engine share it.
"""

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from features.vocabulary import Channel

_DEFAULTS = Path(__file__).with_name("economics.yaml")


class Economics(BaseModel):
    """Prices in cents; a cent may be divided.

    Attributes:
        support_call_cents: Cost of one call to support.
        send_cents: Cost of one message by channel (of one segment for SMS).
        margin_share: Share of an order's amount that is margin.
        lost_customer_months: Months of margin that are lost with a customer.
        channel_loss_months: Months of a channel's expected message margin lost by unsubscribing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    support_call_cents: float = Field(ge=0)
    send_cents: dict[Channel, float]
    margin_share: float = Field(ge=0, le=1)
    lost_customer_months: float = Field(ge=0)
    channel_loss_months: float = Field(ge=0)

    def send_cost_cents(self, channel: Channel, *, n_segments: int = 1) -> float:
        """Cost of one message; SMS is paid by the segment."""
        return self.send_cents[channel] * (n_segments if channel is Channel.SMS else 1)


@cache
def default_economics() -> Economics:
    """The prices that ship with Opportune.

    >>> default_economics().send_cost_cents(Channel.SMS, n_segments=2)
    8.0
    """
    return Economics.model_validate(yaml.safe_load(_DEFAULTS.read_text(encoding="utf-8")))
