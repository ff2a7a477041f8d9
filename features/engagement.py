"""How customers respond to messages: the features of channel-effectiveness models."""

from typing import Final

from features.declarations import FeatureSet
from features.declared.account import SUBSCRIPTION_ACTIVE, TENURE
from features.declared.activity import ACTIVITY_COUNTS, DAYS_SINCE_ACTIVITY
from features.declared.messages import RESPONSE
from features.declared.orders import DAYS_SINCE_ORDER, ORDER_COUNTS

ENGAGEMENT_FEATURES: Final = FeatureSet(
    "engagement",
    (
        TENURE,
        SUBSCRIPTION_ACTIVE,
        *RESPONSE,
        DAYS_SINCE_ACTIVITY,
        *ACTIVITY_COUNTS,
        DAYS_SINCE_ORDER,
        *ORDER_COUNTS,
    ),
)
"""Of the customer alone: channel, trigger and hour are added by the model."""
