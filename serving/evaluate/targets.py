"""Policies that can be asked about: their probabilities over the actions that a record allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from serving.evaluate.columns import DecisionLog
from serving.policy.cases import Flags, Floats
from serving.policy.choice import soften
from serving.policy.settings import LearnedSettings


class TargetName(StrEnum):
    """Policies that every log can be asked about."""

    LOGGED = "logged"
    RULES = "rules"
    RANDOM = "random"
    NOTHING = "nothing"
    GREEDY = "greedy"


class Words(StrEnum):
    """Who chooses the words of a message."""

    LOGGED = "logged"  # as they were chosen
    UNIFORM = "uniform"
    LIKELIEST = "likeliest"


@dataclass(frozen=True)
class Target:
    """A policy's probabilities in a log.

    Attributes:
        name: For the report.
        p: Of every allowed action, (m,); they sum to 1 in each decision that is known.
        is_known: Whether it can be told what the policy would do, (n,).
        words: Who chooses the words.
    """

    name: str
    p: Floats
    is_known: Flags
    words: Words = Words.LOGGED

    def weights(self, log: DecisionLog) -> Floats:
        """Its probability of what was done over the logged one, (n,)."""
        weights: Floats = self.p[log.taken] / log.actions.p_logged[log.taken]
        if self.words is Words.UNIFORM:
            return weights / (log.n_words * log.p_words)
        if self.words is Words.LIKELIEST:
            return weights * log.is_likeliest / log.p_words
        return weights

    def is_supported(self, log: DecisionLog) -> Flags:
        """Whether all that it might do could have been logged, and is known, (n,)."""
        missed = log.sums(((self.p > 0) & (log.actions.p_logged <= 0)).astype(np.float64))
        supported: Flags = self.is_known & (missed == 0)
        return supported


def name_target(name: TargetName, log: DecisionLog, *, words: Words = Words.LOGGED) -> Target:
    """The probabilities of a policy by its name."""
    return _BY_NAME[name](log, words)


def apply_settings(log: DecisionLog, learned: LearnedSettings, *, name: str) -> Target:
    """The learned policy with other settings of its choice, over the values that records hold.

    Where a decision was not scored the policy follows the rules, as the running one does. Where a
    budget had a price, nobody knows what it would have been under other settings.
    """
    rules, scored = _rules(log, Words.LOGGED), _scored(log) & ~np.isnan(log.unsure_cents)
    width, action = int(log.n_allowed.max(initial=1)), log.actions
    starts = np.cumsum(log.n_allowed) - log.n_allowed
    place = np.arange(len(action.row)) - starts[action.row]
    net, allowed = np.zeros((log.n, width)), np.zeros((log.n, width), dtype=bool)
    net[action.row, place] = np.nan_to_num(action.value_cents)
    allowed[action.row, place] = True
    p = soften(net, allowed, unsure=np.nan_to_num(log.unsure_cents), learned=learned)
    return Target(
        name,
        np.where(scored[action.row], p[action.row, place], rules.p),
        ~log.is_priced & (scored | (_unscored(log) & rules.is_known)),
    )


def _logged(log: DecisionLog, words: Words) -> Target:
    return Target(TargetName.LOGGED, log.actions.p_logged, np.ones(log.n, dtype=bool), words)


def _rules(log: DecisionLog, words: Words) -> Target:
    """What the record says the rules would do; in their own arm, what they did."""
    taken = np.where((log.rules_taken < 0) & (log.arms == "rules"), log.taken, log.rules_taken)
    p = np.zeros(len(log.actions.row))
    p[taken[taken >= 0]] = 1.0
    return Target(TargetName.RULES, p, taken >= 0, words)


def _random(log: DecisionLog, words: Words) -> Target:
    p = 1.0 / log.n_allowed[log.actions.row]
    return Target(TargetName.RANDOM, p, np.ones(log.n, dtype=bool), words)


def _nothing(log: DecisionLog, words: Words) -> Target:
    p = log.actions.is_nothing.astype(np.float64)
    return Target(TargetName.NOTHING, p, log.sums(p) > 0, words)


def _greedy(log: DecisionLog, words: Words) -> Target:
    """The best value, ties shared."""
    scored = _scored(log)
    values = np.where(scored[log.actions.row], log.actions.value_cents, 0.0)
    most = np.full(log.n, -np.inf)
    np.maximum.at(most, log.actions.row, values)
    is_best = (values == most[log.actions.row]).astype(np.float64)
    return Target(TargetName.GREEDY, is_best / log.sums(is_best)[log.actions.row], scored, words)


def _scored(log: DecisionLog) -> Flags:
    """Whether every action of the decision has a value, (n,)."""
    scored: Flags = log.sums(np.isnan(log.actions.value_cents).astype(np.float64)) == 0
    return scored


def _unscored(log: DecisionLog) -> Flags:
    """Whether no action that sends has a value, (n,)."""
    unscored: Flags = log.sums((~np.isnan(log.actions.value_cents)).astype(np.float64)) == 0
    return unscored


_BY_NAME: Mapping[TargetName, Callable[[DecisionLog, Words], Target]] = {
    TargetName.LOGGED: _logged,
    TargetName.RULES: _rules,
    TargetName.RANDOM: _random,
    TargetName.NOTHING: _nothing,
    TargetName.GREEDY: _greedy,
}
