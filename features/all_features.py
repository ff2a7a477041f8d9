"""Every feature that a model of ours reads, as one set."""

from typing import Final

from features.churn import CHURN_FEATURES
from features.declarations import FeatureSet, union_of
from features.declared.account import SUBSCRIPTION_ACTIVE
from features.engagement import ENGAGEMENT_FEATURES

ALL_FEATURES: Final = union_of(
    "all", CHURN_FEATURES, ENGAGEMENT_FEATURES, FeatureSet("subscribed", (SUBSCRIPTION_ACTIVE,))
)
"""What every model reads, and what tells who can still be lost."""
