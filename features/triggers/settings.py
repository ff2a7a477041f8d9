"""The thresholds of the triggers, and how far back a problem may have begun."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TriggerSettings:
    """Defaults of the triggers; days are 24 hours before or after the moment.

    The `..._lookback_days` keep a case that nobody closed from being found for ever.

    Attributes:
        late_from_days: An estimate this far past the promise, or further, is a delay.
        minor_up_to_days: A delay of at most this is minor.
        moderate_up_to_days: A longer one of at most this is moderate, beyond it is significant.
        delay_lookback_days: The first late estimate is at most this old.
        card_within_days: A card that expires from today's UTC date up to this many days on.
        disruption_lookback_days: The disruption began at most this long ago.
        used_above: Used share of the plan's limit above which more may be offered.
        used_below: Used share from which it is too late to offer.
        usage_lookback_days: The last report of use is at most this old.
        login_lookback_days: The login from a new place is at most this old.
        shipped_lookback_days: The shipment was created at most this long ago.
        cart_lookback_days: An item was put into the cart at most this long ago.
        view_lookback_days: An item was viewed at most this long ago.
        price_lookback_days: The price fell at most this long ago.
        viewed_before_days: An item was viewed at most this long before its price fell.
        inactive_from_days: No activity for this long, or longer, is inactivity.
        inactive_up_to_days: After this long it is a matter for churn_risk.
    """

    late_from_days: float = 1.0
    minor_up_to_days: float = 1.0
    moderate_up_to_days: float = 3.0
    delay_lookback_days: float = 14.0
    card_within_days: int = 30
    disruption_lookback_days: float = 7.0
    used_above: float = 0.80
    used_below: float = 1.0
    usage_lookback_days: float = 31.0
    login_lookback_days: float = 1.0
    shipped_lookback_days: float = 1.0
    cart_lookback_days: float = 3.0
    view_lookback_days: float = 2.0
    price_lookback_days: float = 3.0
    viewed_before_days: float = 30.0
    inactive_from_days: float = 7.0
    inactive_up_to_days: float = 30.0
