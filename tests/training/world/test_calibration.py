import pytest

from training.world.calibration import Calibration, calibrate
from training.world.simulated import SimulatedWorld

N_DAYS = 60


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibrate(SimulatedWorld(seed=2, n_customers=2_000, days=N_DAYS), days=N_DAYS)


def test_opens_arrive_as_late_as_they_should(found: Calibration) -> None:
    assert found.delays.to_dict() == pytest.approx(
        {1.0: 0.26, 6.4: 0.50, 24.0: 0.71, 168.0: 0.93}, abs=0.035
    )


def test_open_rates_are_plausible(found: Calibration) -> None:
    often = ["abandoned_cart", "browse_abandonment", "inactivity", "order_shipped", "price_drop"]
    rates = found.open_rates.loc[often]
    assert rates["email"].between(0.07, 0.45).all()
    assert rates["email"].idxmin() == "inactivity"
    assert rates["email"].idxmax() == "order_shipped"
    assert rates["push"].between(0.02, 0.17).all()


def test_customers_leave_at_a_plausible_rate(found: Calibration) -> None:
    assert 0.03 < found.rates["churn_per_30_days"] < 0.06
    assert 0.001 < found.rates["unsubscribed_per_message"] < 0.01


def test_there_is_room_above_the_rules_and_a_reason_to_be_silent(found: Calibration) -> None:
    overall = found.room.loc["all"]
    assert overall["n_cases"] > 500
    assert overall["rules"] > 0
    assert 1.5 < overall["ratio"] < 3.5
    assert 0.5 < overall["worth_sending"] < 0.97
    assert (found.room["best"] >= found.room["rules"]).all()


def test_no_channel_is_best_for_every_trigger(found: Calibration) -> None:
    often = found.room.index[found.room["n_cases"] > 30].intersection(found.values.index)
    assert found.values.loc[often].idxmax(axis=1).nunique() > 1
