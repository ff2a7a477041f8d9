"""What the engagement features promise to channel models."""

from features.churn import CHURN_FEATURES
from features.engagement import ENGAGEMENT_FEATURES
from features.vocabulary import Channel


def test_every_channel_has_its_messages_opens_and_clicks_over_each_window() -> None:
    names = set(ENGAGEMENT_FEATURES.names)
    for channel in Channel:
        for what in ("messages", "opened", "clicked"):
            assert {f"{channel}_{what}_{days}d" for days in (7, 30, 90)} <= names


def test_engagement_and_churn_features_of_one_name_are_one_feature() -> None:
    churn = {feature.name: feature for feature in CHURN_FEATURES.features}
    shared = [f for f in ENGAGEMENT_FEATURES.features if f.name in churn]
    assert len(shared) > 5
    assert [f.name for f in shared if f != churn[f.name]] == []
