"""The thresholds of the triggers, and how long each of them may be told."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TriggerSettings:
    """Defaults of the triggers; days are 24 hours before or after the moment.

    The `..._lookback_days` say how long after it began a problem is still worth telling: they keep
    a case that nobody closed from being found for ever, and make the case's `expires_at`.

    Attributes:
        late_from_days: An estimate this far past the promise, or further, is a delay.
        minor_up_to_days: A delay of at most this is minor.
        moderate_up_to_days: A longer one of at most this is moderate, beyond it is significant.
        delay_lookback_days: The first late estimate is at most this old: after two weeks the
            customer has long called. A case ends sooner with the day of its estimate.
        predicted_from: Chance of being late from which an order is told to be, before any
            estimate says so. The default lies where about half of those named come late.
        card_within_days: A card that expires from today's UTC date up to this many days on; the
            case ends with the card's last day.
        card_moderate_days: A card that expires within this is moderate, later is minor.
        card_significant_days: A card that expires within this is significant.
        disruption_lookback_days: The disruption began at most this long ago: whoever is without
            service for a week knows it. A case ends sooner when the disruption does.
        disruption_moderate_days: A disruption this old, or older, is moderate, a younger one minor.
        disruption_significant_days: A disruption this old, or older, is significant.
        used_above: Used share of the plan's limit above which more may be offered.
        used_moderate: Used share from which it is moderate.
        used_significant: Used share from which it is significant.
        used_below: Used share from which it is too late to offer.
        usage_lookback_days: The last report of use is at most this old: a month later a new
            period has begun.
        login_lookback_days: The strange login is at most this old: a warning is worth most while
            somebody else may still be inside.
        hour_history_days: Earlier logins of this many days tell a customer's usual hours.
        hour_min_logins: Fewer of them tell no habit, and no hour is odd.
        hour_within: Logins within this many hours of an hour speak for it.
        hour_odd_up_to: An hour is odd when at most this share of the logins speaks for it.
        travel_from_km: Places known from a network address err by this much; nearer ones are one.
        travel_km_per_hour: Nobody travels faster than an airliner.
        shipped_lookback_days: The shipment was created at most this long ago: after a day the
            parcel's own tracking says more.
        cart_lookback_days: An item was put into the cart at most this long ago: by then most who
            will come back have.
        view_lookback_days: An item was viewed at most this long ago.
        price_lookback_days: The price fell at most this long ago.
        viewed_before_days: An item was viewed at most this long before its price fell.
        inactive_from_days: No activity for this long, or longer, is inactivity.
        inactive_moderate_days: No activity for this long, or longer, is moderate, else minor.
        inactive_significant_days: No activity for this long, or longer, is significant.
        inactive_up_to_days: After this long it is a matter for churn_risk.
    """

    late_from_days: float = 1.0
    minor_up_to_days: float = 1.0
    moderate_up_to_days: float = 3.0
    delay_lookback_days: float = 14.0
    predicted_from: float = 0.5
    card_within_days: int = 30
    card_moderate_days: int = 10
    card_significant_days: int = 3
    disruption_lookback_days: float = 7.0
    disruption_moderate_days: float = 0.25
    disruption_significant_days: float = 1.0
    used_above: float = 0.80
    used_moderate: float = 0.90
    used_significant: float = 0.95
    used_below: float = 1.0
    usage_lookback_days: float = 31.0
    login_lookback_days: float = 1.0
    hour_history_days: float = 90.0
    hour_min_logins: int = 30
    hour_within: int = 2
    hour_odd_up_to: float = 0.02
    travel_from_km: float = 200.0
    travel_km_per_hour: float = 900.0
    shipped_lookback_days: float = 1.0
    cart_lookback_days: float = 3.0
    view_lookback_days: float = 2.0
    price_lookback_days: float = 3.0
    viewed_before_days: float = 30.0
    inactive_from_days: float = 7.0
    inactive_moderate_days: float = 14.0
    inactive_significant_days: float = 21.0
    inactive_up_to_days: float = 30.0
