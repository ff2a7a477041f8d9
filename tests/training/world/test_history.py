import numpy as np
import pandas as pd
import pytest

from training.world.mail.history import P_SEND
from training.world.simulated import SimulatedWorld


@pytest.fixture(scope="module")
def sent() -> pd.DataFrame:
    """Messages of a history with what the policy knew of the customer: zone and local hour."""
    world = SimulatedWorld(seed=21, n_customers=1_500, days=45)
    tables = world.tables(world.start)
    frame = tables["messages"].merge(tables["customers"], on="customer_id")
    local = [
        at.tz_convert(zone).hour
        for at, zone in zip(frame["sent_at"], frame["timezone"], strict=True)
    ]
    return frame.assign(local_hour=local)


def test_random_messages_are_spread_evenly_over_channels_hours_and_styles(
    sent: pd.DataFrame,
) -> None:
    patient = ~sent["trigger"].isin(["service_disruption", "account_anomaly"])
    consents = [f"consent_{c}" for c in ("email", "sms", "push", "in_app", "whatsapp")]
    # Customers who have every channel: .85 over 5 channels, 12 hours and 2 styles.
    all_open = sent[consents].fillna(False).all(axis=1)
    even = sent[(sent["arm"] == "random") & patient & all_open]
    assert len(even) > 700
    assert even["propensity"].to_numpy() == pytest.approx(P_SEND / (5 * 12 * 2))
    for parts, key in (
        (5, even["channel"]),
        (12, even["local_hour"]),
        (2, even["variant"].str[-4:]),
    ):
        counts = key.value_counts()
        assert len(counts) == parts
        spread = np.abs(counts / len(even) - 1 / parts).max()
        # The fatigue rule favours no channel or style, but hours a little.
        assert spread < 4.5 * np.sqrt((1 / parts) / len(even)), key.name


def test_propensities_are_those_of_the_open_channels(sent: pd.DataFrame) -> None:
    patient = ~sent["trigger"].isin(["service_disruption", "account_anomaly"])
    random = sent[(sent["arm"] == "random") & patient]
    n_ways = (P_SEND / random["propensity"] / 12 / 2).round(6)
    assert set(n_ways) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert (sent.loc[sent["arm"] == "rules", "propensity"] == 1.0).all()


def test_arms_are_for_good_and_holdout_gets_nothing_but_disruptions(sent: pd.DataFrame) -> None:
    assert set(sent["arm"]) == {"random", "rules"}
    ordinary = sent[sent["trigger"] != "service_disruption"]
    assert (ordinary.groupby("customer_id")["arm"].nunique() == 1).all()
    shares = ordinary.groupby("customer_id")["arm"].first().value_counts(normalize=True)
    assert shares["random"] == pytest.approx(0.75 / 0.90, abs=0.04)


def test_quiet_hours_hold_for_everything_but_disruptions(sent: pd.DataFrame) -> None:
    quiet = (sent["local_hour"] < 9) | (sent["local_hour"] >= 21)
    disrupted = sent["trigger"] == "service_disruption"
    assert not (quiet & ~disrupted).any()
    assert (quiet & disrupted).any()


def test_nobody_hears_too_often(sent: pd.DataFrame) -> None:
    ordered = sent.sort_values(["customer_id", "sent_at"])
    by_customer = ordered.groupby("customer_id")["sent_at"]
    assert by_customer.diff().min() >= pd.Timedelta(hours=20)
    assert (ordered["sent_at"] - by_customer.shift(2)).min() >= pd.Timedelta(days=7)


def test_nothing_is_sent_without_consent_as_it_was_known(sent: pd.DataFrame) -> None:
    agreed = [row[f"consent_{row['channel']}"] for _, row in sent.iterrows()]
    # Who unsubscribed later has no consent in today's table.
    assert np.mean(pd.Series(agreed).fillna(False).astype("bool")) > 0.97
