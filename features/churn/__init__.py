"""Who may be lost, who was lost, and what one could see of it beforehand."""

from features.churn.features import CHURN_FEATURES
from features.churn.labels import ACTIVE_WITHIN_DAYS, churn_labels, eligible_customers

__all__ = [
    "ACTIVE_WITHIN_DAYS",
    "CHURN_FEATURES",
    "churn_labels",
    "eligible_customers",
]
