"""Who has a reason to hear from us at a moment, and what that reason is in facts.

Ten of the twelve triggers are conditions over the tables and found here. Two are not: `churn_risk`
needs the scores of a model, and `incident_update` comes from whoever handles the incident.
"""

from features.triggers.cases import CASES, PREDICTIONS, find_triggers, write_triggers
from features.triggers.settings import TriggerSettings

__all__ = ["CASES", "PREDICTIONS", "TriggerSettings", "find_triggers", "write_triggers"]
