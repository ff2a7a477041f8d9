"""What one can see of a customer before they are lost: the features of the churn model."""

from typing import Final

from features.declarations import FeatureSet
from features.declared.account import INVOICES, SEGMENT, SUBSCRIPTION, TENURE
from features.declared.activity import ACTIVITY
from features.declared.messages import CONTACT_90D, MESSAGES_AND_OPENS_30D
from features.declared.orders import ORDERS
from features.declared.support import SUPPORT

CHURN_FEATURES: Final = FeatureSet(
    "churn",
    (
        TENURE,
        SEGMENT,
        *ACTIVITY,
        *ORDERS,
        *SUBSCRIPTION,
        *INVOICES,
        *SUPPORT,
        *MESSAGES_AND_OPENS_30D,
        *CONTACT_90D,
    ),
)
