"""From tables and registry to a snapshot that is served."""

from datetime import datetime

from features.errors import BadInputError
from features.tables import Tables
from serving.policy.settings import PolicySettings
from serving.settings import Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from serving.store.store import Store
from training.bandit.rewards import Reward, collect_rewards
from training.bandit.state import BanditState, state_from
from training.registry.entries import ModelName, NoChampion
from training.registry.servable import ChannelModel, ChurnModel, SendTimeModel
from training.registry.tracking import Tracking


def load_champions(tracking: Tracking) -> Models:
    """The models that are served; None where none has been promoted.

    Raises:
        IncompatibleModelError: One was made with other feature definitions than the running ones.
    """
    found = {name: tracking.load_champion(name) for name in ModelName}
    churn, channel, send_time = (
        None if isinstance(found[name], NoChampion) else found[name]
        for name in (ModelName.CHURN, ModelName.CHANNEL, ModelName.SEND_TIME)
    )
    if not (
        (churn is None or isinstance(churn, ChurnModel))
        and (channel is None or isinstance(channel, ChannelModel))
        and (send_time is None or isinstance(send_time, SendTimeModel))
    ):
        raise BadInputError("the registry holds a model of the wrong kind under one of its names")
    models = Models(churn, channel, send_time)
    models.require_running_features()
    return models


def learn_bandit(
    tables: Tables, store: Store, *, as_of: datetime, policy: PolicySettings
) -> BanditState:
    """What every matured message teaches, built anew from log and store.

    A message that stands in both counts once; the store knows the outcomes that were reported
    to it, the tables what the company recorded, and either success is a success.
    """
    window_days = policy.reward.window_days
    rewards: dict[str, Reward] = {}
    for reward in (
        *collect_rewards(tables, as_of=as_of, window_days=window_days),
        *store.read_rewards(as_of=as_of, window_days=window_days),
    ):
        known = rewards.get(reward.message_id)
        if known is None or reward.success:
            rewards[reward.message_id] = reward
    return state_from(rewards.values())


def publish(
    settings: Settings,
    tables: Tables,
    *,
    as_of: datetime,
    models: Models,
    policy: PolicySettings,
    store: Store,
) -> Snapshot:
    """Make a snapshot of what is known before `as_of`, and let it be served."""
    bandit = learn_bandit(tables, store, as_of=as_of, policy=policy)
    snapshot = make_snapshot(tables, as_of=as_of, models=models, bandit=bandit)
    return publish_snapshot(snapshot, settings.snapshots)
