"""Policies that can be asked about: their probabilities over the actions that a record allows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from serving.evaluate.columns import DecisionLog
from serving.policy.cases import Flags, Floats, Ints
from serving.policy.choice import soften
from serving.policy.settings import LearnedSettings

_LOT = 50_000  # decisions at once, to bound memory


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
        p_words: Probability of the words that were sent, (n,), 1 without a message; None where it
            has no words of its own.
    """

    name: str
    p: Floats
    is_known: Flags
    p_words: Floats | None = None

    def weights(self, log: DecisionLog) -> Floats:
        """Its probability of what was done over the logged one, (n,)."""
        weights: Floats = self.p[log.taken] / log.actions.p_logged[log.taken]
        return weights if self.p_words is None else weights * self.p_words / log.p_words

    def is_supported(self, log: DecisionLog) -> Flags:
        """Whether all that it might do could have been logged, and is known, (n,)."""
        missed = log.sums(((self.p > 0) & (log.actions.p_logged <= 0)).astype(np.float64))
        supported: Flags = self.is_known & (missed == 0)
        return supported


def name_target(name: TargetName, log: DecisionLog, *, words: Words = Words.LOGGED) -> Target:
    """The probabilities of a policy by its name."""
    return replace(_BY_NAME[name](log), p_words=_choose_words(log, words))


def _choose_words(log: DecisionLog, words: Words) -> Floats | None:
    if words is Words.LOGGED:
        return None
    chosen: Floats = 1.0 / log.n_words
    return chosen if words is Words.UNIFORM else log.is_likeliest.astype(np.float64)


def apply_settings(log: DecisionLog, learned: LearnedSettings, *, name: str) -> Target:
    """The learned policy with other settings of its choice, over the values that records hold.

    Where a decision was not scored the policy follows the rules, as the running one does. Where a
    budget had a price, nobody knows what it would have been under other settings.
    """
    rules, scored = _rules(log), _scored(log) & ~np.isnan(log.unsure_cents)
    p = rules.p
    for begin in range(0, log.n, _LOT):
        _soften_some(log, np.arange(begin, min(begin + _LOT, log.n)), scored, learned, into=p)
    is_known = ~log.is_priced & (scored | (_unscored(log) & rules.is_known))
    return Target(name, p, is_known)


def _soften_some(
    log: DecisionLog, rows: Ints, scored: Flags, learned: LearnedSettings, *, into: Floats
) -> None:
    """Write the learned policy's probabilities into those decisions of some that were scored."""
    begin, end = np.searchsorted(log.actions.row, [rows[0], rows[-1] + 1])
    row = log.actions.row[begin:end] - rows[0]
    counts = np.bincount(row, minlength=len(rows))
    place = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    net = np.zeros((len(rows), int(counts.max())))
    allowed = np.zeros(net.shape, dtype=bool)
    net[row, place] = np.nan_to_num(log.actions.value_cents[begin:end])
    allowed[row, place] = True
    p = soften(net, allowed, unsure=np.nan_to_num(log.unsure_cents[rows]), learned=learned)
    into[begin:end] = np.where(scored[rows][row], p[row, place], into[begin:end])


def _logged(log: DecisionLog) -> Target:
    return Target(TargetName.LOGGED, log.actions.p_logged, np.ones(log.n, dtype=bool))


def _rules(log: DecisionLog) -> Target:
    """What the record says the rules would do; in their own arm, what they did."""
    taken = np.where((log.rules_taken < 0) & (log.arms == "rules"), log.taken, log.rules_taken)
    p = np.zeros(len(log.actions.row))
    p[taken[taken >= 0]] = 1.0
    return Target(TargetName.RULES, p, taken >= 0)


def _random(log: DecisionLog) -> Target:
    p = 1.0 / log.n_allowed[log.actions.row]
    return Target(TargetName.RANDOM, p, np.ones(log.n, dtype=bool))


def _nothing(log: DecisionLog) -> Target:
    p = log.actions.is_nothing.astype(np.float64)
    return Target(TargetName.NOTHING, p, log.sums(p) > 0)


def _greedy(log: DecisionLog) -> Target:
    """The best value, ties shared."""
    scored = _scored(log)
    values = np.where(scored[log.actions.row], log.actions.value_cents, 0.0)
    most = np.full(log.n, -np.inf)
    np.maximum.at(most, log.actions.row, values)
    is_best = (values == most[log.actions.row]).astype(np.float64)
    return Target(TargetName.GREEDY, is_best / log.sums(is_best)[log.actions.row], scored)


def _scored(log: DecisionLog) -> Flags:
    """Whether every action of the decision has a value, (n,)."""
    scored: Flags = log.sums(np.isnan(log.actions.value_cents).astype(np.float64)) == 0
    return scored


def _unscored(log: DecisionLog) -> Flags:
    """Whether no action that sends has a value, (n,)."""
    unscored: Flags = log.sums((~np.isnan(log.actions.value_cents)).astype(np.float64)) == 0
    return unscored


_BY_NAME: Mapping[TargetName, Callable[[DecisionLog], Target]] = {
    TargetName.LOGGED: _logged,
    TargetName.RULES: _rules,
    TargetName.RANDOM: _random,
    TargetName.NOTHING: _nothing,
    TargetName.GREEDY: _greedy,
}
