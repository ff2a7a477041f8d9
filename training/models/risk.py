"""What is written down about the playbook's rules at every training of the churn model."""

from collections.abc import Mapping
from dataclasses import dataclass

from features.churn.risk import TierSource
from training.evaluation import Estimate
from training.models.records import flatten
from training.risk import JudgedRules


@dataclass(frozen=True)
class _Paired:
    """One measure of the risk score, of p_churn, and the first minus the second."""

    score: Estimate
    p_churn: Estimate
    gain: Estimate


def measure_risk(judged: JudgedRules) -> dict[str, float]:
    """The metrics `risk.*`: of `score` and `p_churn`, and the paired `gain` of the first.

    Where no rule fired there are counts alone, for the two scores are the same; and where too few
    rows had one to tell.
    """
    metrics: dict[str, float] = {
        "risk.n_fired": judged.n_fired,
        "risk.n_tiers_moved": judged.n_moved,
    }
    for source, n_rows in judged.tiers.items():
        name = "score" if source is TierSource.RISK_SCORE else "p_churn"
        metrics |= {f"risk.{name}.n_{tier}": n for tier, n in n_rows.items()}
    for rule in judged.rules:
        metrics[f"risk.rule.{rule.name}.n_fired"] = rule.n_fired
        if rule.wanted is not None:
            metrics |= flatten(f"risk.rule.{rule.name}.factor_wanted", rule.wanted)
    for name, paired in _list_pairs(judged).items():
        metrics |= flatten(f"risk.score.{name}", paired.score)
        metrics |= flatten(f"risk.p_churn.{name}", paired.p_churn)
        metrics |= flatten(f"risk.gain.{name}", paired.gain)
    return metrics


def describe_risk(judged: JudgedRules) -> str:
    """In one sentence whether the rules help or harm."""
    if judged.calls is None:
        where = f": on {judged.n_fired:,} of" if judged.n_fired else " on"
        return f"Risk rules {judged.verdict}{where} {judged.n_rows:,} later rows."
    words = {
        "auc": "AUC",
        "precision": f"precision of {judged.calls.capacity} calls a list",
        "brier": "Brier score",
    }
    pairs = _list_pairs(judged)
    gains = [f"{word} {_write(pairs[name].gain)}" for name, word in words.items()]
    share = judged.n_fired / judged.n_rows
    return (
        f"Risk rules {judged.verdict}: one fired on {share:.0%} of {judged.n_rows:,} later rows, "
        f"risk_score less p_churn: {', '.join(gains)} (of the Brier score less is better); "
        f"{''.join(f'{words}; ' for words in _describe_rules(judged))}"
        f"the tier had better come from {judged.favours}."
    )


def _describe_rules(judged: JudgedRules) -> list[str]:
    return [
        f"{rule.name} multiplies by {rule.factor:g} where these rows want "
        f"{rule.wanted.value:.2f} [{rule.wanted.low:.2f}, {rule.wanted.high:.2f}]"
        for rule in judged.rules
        if rule.wanted is not None
    ]


def _list_pairs(judged: JudgedRules) -> Mapping[str, _Paired]:
    comparison, calls = judged.comparison, judged.calls
    if comparison is None or calls is None:
        return {}
    score, p_churn = comparison.ours.by_name(), comparison.other.by_name()
    gains = comparison.difference.by_name()
    pairs = {name: _Paired(score[name], p_churn[name], gains[name]) for name in score}
    pairs["precision"] = _Paired(
        calls.ours.precision, calls.baseline.precision, calls.gain.precision
    )
    return pairs


def _write(gain: Estimate) -> str:
    return f"{gain.value:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}]"
