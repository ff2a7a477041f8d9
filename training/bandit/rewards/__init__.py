"""What messages earned, as far as it is known: from a log of outcomes to what a bandit learns."""

from training.bandit.rewards.cell import Cell
from training.bandit.rewards.judging import find_suspects, judge_messages, judge_outcomes
from training.bandit.rewards.log import RewardLog, join_logs
from training.bandit.rewards.machines import MachineRule
from training.bandit.rewards.rule import (
    REFUSALS,
    OutcomeRole,
    RewardGoal,
    RewardRule,
    RewardState,
)
from training.bandit.rewards.trials import Trials

__all__ = [
    "REFUSALS",
    "Cell",
    "MachineRule",
    "OutcomeRole",
    "RewardGoal",
    "RewardLog",
    "RewardRule",
    "RewardState",
    "Trials",
    "find_suspects",
    "join_logs",
    "judge_messages",
    "judge_outcomes",
]
