"""What messages earned, as far as it is known: from a log of outcomes to what a bandit learns."""

from training.bandit.rewards.judging import find_suspects, judge_messages, judge_outcomes
from training.bandit.rewards.log import RewardLog, join_logs
from training.bandit.rewards.machines import MachineRule
from training.bandit.rewards.reward import Cell, Reward, drop_repeats
from training.bandit.rewards.rule import REFUSALS, OutcomeRole, RewardRule, RewardState
from training.bandit.rewards.trials import Trials

__all__ = [
    "REFUSALS",
    "Cell",
    "MachineRule",
    "OutcomeRole",
    "Reward",
    "RewardLog",
    "RewardRule",
    "RewardState",
    "Trials",
    "drop_repeats",
    "find_suspects",
    "join_logs",
    "judge_messages",
    "judge_outcomes",
]
