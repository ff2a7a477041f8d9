"""Hard rules outside any learner. Each guard is a small pure function; together they fail closed.

A guard speaks about whole cases (consent, suppression), about channels (reach), about moments of
sending (fatigue, cool-down, incidents, quiet hours), or about single actions (budgets), since a
message that is too much today may be welcome tomorrow.
"""

from serving.policy.guards.consent import open_channels
from serving.policy.guards.judge import judge_actions, refuse_cases
from serving.policy.guards.verdicts import Verdicts

__all__ = ["Verdicts", "judge_actions", "open_channels", "refuse_cases"]
