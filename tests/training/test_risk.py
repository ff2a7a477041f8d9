"""The rules are judged both ways: where they add what a model lacks, and where they do not."""

from typing import Any

import numpy as np
import pytest

from features.churn.risk import RiskRules, TierSource, default_rules
from features.vocabulary import Tier
from training.evaluation import Window
from training.models.risk import describe_risk, measure_risk
from training.registry.entries import ModelName
from training.risk import JudgedRules, Verdict, judge_rules
from training.train import TrainedModel, Trainings

NAMES = ("days_since_last_login", "oldest_open_ticket_days")
N = 12_000
MOMENTS = np.datetime64("2026-05-01", "us") + np.arange(N) // 600 * np.timedelta64(1, "D")
"""Twenty lists of 600 customers."""


def judge_company(
    *, login: float, ticket: float, sees_login: bool, sees_ticket: bool
) -> JudgedRules:
    """A company where silence and old tickets multiply the risk, and a model that sees them or not.

    The model is right on average about what it does not see: it is calibrated.
    """
    rng = np.random.default_rng(7)
    silent, waiting = rng.random(N) < 0.25, rng.random(N) < 0.25
    base = rng.beta(2, 12, N).clip(0.0, 0.5)
    p_true = base * np.where(silent, login, 1.0) * np.where(waiting, ticket, 1.0)
    mean_login, mean_ticket = 0.75 + 0.25 * login, 0.75 + 0.25 * ticket
    p_model = base * np.where(sees_login, np.where(silent, login, 1.0), mean_login)
    p_model = p_model * np.where(sees_ticket, np.where(waiting, ticket, 1.0), mean_ticket)
    return judge_rules(
        default_rules(),
        p_model.clip(0, 1),
        features=np.column_stack([np.where(silent, 45.0, 3.0), np.where(waiting, 10.0, np.nan)]),
        names=NAMES,
        window=Window(rng.random(N) < p_true, np.arange(N).astype(str).astype(object)),
        moments=MOMENTS[: len(p_model)],
        rng=np.random.default_rng(1),
    )


@pytest.fixture(scope="module")
def judged() -> JudgedRules:
    """Rules that are right about the world, beside a model that knows it all."""
    return judge_company(login=1.5, ticket=1.3, sees_login=True, sees_ticket=True)


def wanted_of(judged: JudgedRules) -> dict[str, tuple[float, float]]:
    return {
        rule.name: (rule.wanted.low, rule.wanted.high)
        for rule in judged.rules
        if rule.wanted is not None
    }


def test_rules_help_where_the_model_does_not_see_what_they_see() -> None:
    judged = judge_company(login=1.8, ticket=1.6, sees_login=False, sees_ticket=False)

    assert judged.verdict is Verdict.HELP
    assert judged.favours is TierSource.RISK_SCORE
    assert judged.comparison is not None
    assert judged.comparison.difference.auc.low > 0
    assert judged.calls is not None
    assert judged.calls.gain.precision.low > 0
    assert "Risk rules help" in describe_risk(judged)


def test_rules_harm_where_the_model_has_counted_them_already(judged: JudgedRules) -> None:
    assert judged.verdict is Verdict.HARM
    assert judged.favours is TierSource.P_CHURN
    assert judged.comparison is not None
    assert judged.comparison.difference.brier.low > 0
    assert judged.comparison.difference.auc.high < 0
    for low, high in wanted_of(judged).values():
        assert low < 1 < high
    assert "Risk rules harm" in describe_risk(judged)


def test_each_rule_is_judged_by_itself() -> None:
    judged = judge_company(login=1.8, ticket=1.0, sees_login=False, sees_ticket=True)

    wanted = wanted_of(judged)
    assert wanted["last_login_long_ago"][0] > 1.2
    assert wanted["open_ticket_old"][0] < 1 < wanted["open_ticket_old"][1]


def test_rules_that_never_fire_say_nothing() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(400)
    judged = judge_rules(
        default_rules(),
        p,
        features=np.full((400, 2), np.nan),
        names=NAMES,
        window=Window(rng.random(400) < p, np.arange(400).astype(str).astype(object)),
        moments=MOMENTS[:400],
        rng=rng,
    )

    assert judged.verdict is Verdict.SILENT
    assert judged.favours is TierSource.P_CHURN
    counts = [(p <= 0.3), (p > 0.3) & (p <= 0.6), (p > 0.6) & (p <= 0.8), p > 0.8]
    tiers = dict(zip(("low", "medium", "high", "critical"), counts, strict=True))
    assert measure_risk(judged) == {
        **{f"risk.{by}.n_{t}": n.sum() for t, n in tiers.items() for by in ("score", "p_churn")},
        "risk.n_fired": 0,
        "risk.n_tiers_moved": 0,
        "risk.rule.last_login_long_ago.n_fired": 0,
        "risk.rule.open_ticket_old.n_fired": 0,
    }
    assert "never fired on 400" in describe_risk(judged)


def judge_silent(n_silent: int, *, p: float) -> JudgedRules:
    """Of 2,000 customers so many were silent for long, and none of those was lost."""
    silent = np.arange(2_000) < n_silent
    labels = ~silent & (np.random.default_rng(4).random(2_000) < p)
    return judge_rules(
        default_rules(),
        np.random.default_rng(5).uniform(p / 2, 3 * p / 2, 2_000),
        features=np.column_stack([np.where(silent, 45.0, 3.0), np.full(2_000, np.nan)]),
        names=NAMES,
        window=Window(labels, np.arange(2_000).astype(str).astype(object)),
        moments=MOMENTS[:2_000],
        rng=np.random.default_rng(6),
    )


@pytest.mark.parametrize(("n_silent", "p"), [(30, 0.4), (60, 0.05)])
def test_rules_that_fired_on_a_handful_are_not_judged(n_silent: int, p: float) -> None:
    """Nobody of the handful was lost: the bootstrap alone would call that harm, and surely."""
    judged = judge_silent(n_silent, p=p)

    assert judged.verdict is Verdict.TOO_FEW
    assert judged.favours is TierSource.P_CHURN
    assert wanted_of(judged) == {}
    assert "risk.gain.auc" not in measure_risk(judged)
    assert f"too seldom to be judged: on {n_silent} of 2,000" in describe_risk(judged)


def test_factor_wanted_where_nobody_was_lost_has_an_interval_of_some_width() -> None:
    low, high = wanted_of(judge_silent(400, p=0.1))["last_login_long_ago"]

    assert low == 0
    assert high == pytest.approx(-np.log(0.025) / 40, rel=0.1)


def test_metrics_hold_both_scores_and_what_the_rules_gain(judged: JudgedRules) -> None:
    metrics = measure_risk(judged)

    for measure in ("auc", "average_precision", "brier", "calibration_error", "precision"):
        score, p = metrics[f"risk.score.{measure}"], metrics[f"risk.p_churn.{measure}"]
        assert metrics[f"risk.gain.{measure}"] == pytest.approx(score - p)
        assert metrics[f"risk.gain.{measure}_low"] <= metrics[f"risk.gain.{measure}_high"]
    assert metrics["risk.n_fired"] > metrics["risk.rule.open_ticket_old.n_fired"] > 0


def test_tiers_moved_counts_whom_the_other_score_would_put_elsewhere() -> None:
    always: dict[str, Any] = {
        "name": "always",
        "when": {"feature": NAMES[0], "above": 0},
        "factor": 1.5,
    }
    rules = RiskRules.model_validate({"tier_from": "risk_score", "cap": 1, "rules": [always]})
    p = np.array([0.1, 0.25, 0.45, 0.7])  # low, low to medium, medium to high, high to critical
    judged = judge_rules(
        rules,
        p,
        features=np.ones((4, 2)),
        names=NAMES,
        window=Window(np.array([False, True, False, True]), np.array(list("abcd"), dtype=object)),
        moments=MOMENTS[:4],
        rng=np.random.default_rng(0),
    )

    assert judged.n_moved == 3
    assert judged.tiers[TierSource.P_CHURN][Tier.LOW] == 2
    assert judged.tiers[TierSource.RISK_SCORE][Tier.CRITICAL] == 1


def test_every_training_of_churn_says_what_the_rules_do(shop_summary: Trainings) -> None:
    """The shop has neither logins nor tickets: its rules never fire, and the run says so."""
    trained = shop_summary[ModelName.CHURN]
    assert isinstance(trained, TrainedModel)

    assert trained.metrics["risk.n_fired"] == 0
    assert "never fired" in trained.notes["risk"]
