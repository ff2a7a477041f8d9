import numpy as np
import pytest
from pydantic import ValidationError

from features.churn import CHURN_FEATURES
from features.churn.limits import Limit
from features.churn.signals import Signal, default_signals
from features.vocabulary import Factor

NAMES = CHURN_FEATURES.names


def customer(**features: float) -> np.ndarray:
    row = np.full((1, len(NAMES)), np.nan)
    for name, value in features.items():
        row[0, NAMES.index(name)] = value
    return row


def shown_by(**features: float) -> set[str]:
    row = customer(**features)
    return {signal.name for signal in default_signals() if signal.holds(row, names=NAMES)[0]}


def test_nothing_known_shows_no_signal() -> None:
    assert shown_by() == set()


@pytest.mark.parametrize(
    ("features", "signals"),
    [
        ({"days_since_last_login": 30.5}, {"no_login_for_30_days"}),
        ({"days_since_last_login": 30.0}, set()),
        ({"oldest_open_ticket_days": 8.0}, {"ticket_open_over_7_days"}),
        ({"mrr_change_90d": -100.0}, {"downgraded"}),
        ({"mrr_change_90d": 0.0}, set()),
        ({"nps": 6.0}, {"would_not_recommend"}),
        ({"nps": 7.0}, set()),
        ({"session_trend": 0.7, "sessions_60d_before": 6.0}, {"sessions_fell_by_30_percent"}),
        ({"session_trend": 0.71, "sessions_60d_before": 60.0}, set()),
        ({"session_trend": 0.0, "sessions_60d_before": 5.0}, set()),
        ({"onboarding_share": 0.5, "tenure_days": 31.0}, {"onboarding_stuck"}),
        ({"onboarding_share": 0.5, "tenure_days": 29.0}, set()),
        ({"onboarding_share": 0.5}, set()),
    ],
)
def test_a_signal_holds_where_all_its_limits_do(
    features: dict[str, float], signals: set[str]
) -> None:
    assert shown_by(**features) == signals


def test_signals_are_vectorised() -> None:
    signal = Signal(
        name="calm",
        factor=Factor.LOW_USAGE,
        when=(Limit(feature="nps", at_least=5), Limit(feature="tenure_days", below=10)),
    )
    X = np.vstack([customer(nps=5, tenure_days=9), customer(nps=5), customer(nps=4, tenure_days=9)])

    assert signal.holds(X, names=NAMES).tolist() == [True, False, False]


def test_a_signal_without_limits_is_refused() -> None:
    with pytest.raises(ValidationError, match="when"):
        Signal(name="always", factor=Factor.LOW_USAGE, when=())
