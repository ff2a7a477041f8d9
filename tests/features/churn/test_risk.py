from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from features.churn.risk import RiskRules, TierBorders, TierSource, default_rules
from features.errors import BadInputError
from features.vocabulary import Tier

NAMES = ("oldest_open_ticket_days", "tenure_days", "days_since_last_login")
NULL = float("nan")


def rows(*login_and_ticket: tuple[float, float]) -> np.ndarray:
    return np.array([[ticket, 100.0, login] for login, ticket in login_and_ticket])


def data(**changes: Any) -> dict[str, Any]:
    return {**default_rules().model_dump(mode="json"), **changes}


@pytest.mark.parametrize(
    ("login", "ticket", "factor"),
    [
        (30.0, 7.0, 1.0),
        (30.01, 7.0, 1.5),
        (30.0, 7.01, 1.3),
        (400.0, 90.0, 1.5 * 1.3),
        (NULL, 8.0, 1.3),
        (31.0, NULL, 1.5),
        (NULL, NULL, 1.0),
    ],
)
def test_assess_multiplies_by_every_rule_that_fires(
    login: float, ticket: float, factor: float
) -> None:
    risk = default_rules().assess(np.array([0.2]), features=rows((login, ticket)), names=NAMES)

    assert risk.risk_score[0] == pytest.approx(0.2 * factor)
    assert risk.fired.tolist() == [[login > 30, ticket > 7]]
    assert risk.p_churn[0] == 0.2


def test_assess_caps_the_score_at_one() -> None:
    risk = default_rules().assess(
        np.array([0.52, 0.9, 1.0]), features=rows((31, 8), (31, 8), (1, 1)), names=NAMES
    )

    assert risk.risk_score.tolist() == [1.0, 1.0, 1.0]


def test_assess_says_nothing_of_who_has_no_probability() -> None:
    risk = default_rules().assess(
        np.array([NULL, 0.1]), features=rows((99, 99), (1, 1)), names=NAMES
    )

    assert np.isnan(risk.risk_score[0])
    assert not risk.fired.any()
    assert risk.tiers == (None, Tier.LOW)


def test_tier_comes_from_the_score_that_the_rules_name() -> None:
    p, features = np.array([0.5, 0.5]), rows((31, NULL), (1, NULL))
    by = {
        source: RiskRules.model_validate(data(tier_from=source)).assess(
            p, features=features, names=NAMES
        )
        for source in TierSource
    }

    assert default_rules().tier_from is TierSource.P_CHURN
    assert by[TierSource.P_CHURN].tiers == (Tier.MEDIUM, Tier.MEDIUM)
    assert by[TierSource.RISK_SCORE].tiers == (Tier.HIGH, Tier.MEDIUM)
    assert by[TierSource.RISK_SCORE].deciding.tolist() == [0.75, 0.5]


@given(
    p=st.lists(st.floats(0, 1), min_size=1, max_size=20),
    login=st.floats(0, 400) | st.just(NULL),
    ticket=st.floats(0, 400) | st.just(NULL),
)
def test_the_score_lies_between_the_probability_and_one(
    p: list[float], login: float, ticket: float
) -> None:
    p_churn = np.array(sorted(p))

    risk = default_rules().assess(p_churn, features=rows(*[(login, ticket)] * len(p)), names=NAMES)

    assert ((risk.risk_score >= p_churn) & (risk.risk_score <= 1)).all()
    assert (np.diff(risk.risk_score) >= 0).all()
    assert risk.tiers == tuple(TierBorders().find_tier(score) for score in p_churn.tolist())


def test_assess_names_what_it_lacks() -> None:
    with pytest.raises(BadInputError, match="need days_since_last_login, oldest_open_ticket_days"):
        default_rules().assess(np.array([0.1]), features=np.ones((1, 1)), names=("tenure_days",))
    with pytest.raises(BadInputError, match=r"2 customers by 3 features.*\(1, 3\)"):
        default_rules().assess(np.array([0.1, 0.2]), features=rows((1, 1)), names=NAMES)


def test_rules_that_are_wrong_are_refused_with_every_fault() -> None:
    twice = {"name": "a", "when": {"feature": "nps", "above": 1}, "factor": 1.5}
    wrong = {"name": "b", "when": {"feature": "horoscope", "above": 1, "below": 2}, "factor": 0}

    with pytest.raises(ValidationError, match="rules of one name: a"):
        RiskRules.model_validate(data(rules=[twice, twice]))
    with pytest.raises(ValidationError) as refusal:
        RiskRules.model_validate(data(cap=1.5, rules=[wrong], tier_from="horoscope"))
    text = str(refusal.value)
    for words in (
        "'horoscope' is no feature",
        "exactly one of above",
        "cap",
        "factor",
        "tier_from",
    ):
        assert words in text


def test_without_rules_the_score_is_the_probability() -> None:
    none = RiskRules.model_validate(data(rules=[]))
    p = np.array([0.1, 0.95])

    risk = none.assess(p, features=rows((99, 99), (1, 1)), names=NAMES)

    assert risk.risk_score.tolist() == p.tolist()
    assert risk.fired.shape == (2, 0)


def test_borders_of_a_company_make_the_tiers() -> None:
    low = RiskRules.model_validate(data(borders={"medium": 0.05, "high": 0.1, "critical": 0.2}))

    risk = low.assess(
        np.array([0.05, 0.1, 0.2, 0.21, NULL]), features=np.zeros((5, 3)), names=NAMES
    )

    assert [None if tier is None else str(tier) for tier in risk.tiers] == [
        "low", "medium", "high", "critical", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "borders", [{"medium": 0.6}, {"high": 0.9}, {"critical": 1.0}, {"severe": 0.9}]
)
def test_borders_that_do_not_rise_are_refused(borders: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RiskRules.model_validate(data(borders=borders))
