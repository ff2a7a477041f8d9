"""From tables and registry to a snapshot that is served."""

from datetime import datetime

from features.engines import DUCKDB, Engine
from features.errors import BadInputError
from features.tables import Tables
from serving.disruptions import follow_tables
from serving.learner.files import LearnerFiles
from serving.learner.fold import rule_of
from serving.learner.history import read_history
from serving.learner.step import learn_from_log, look, take_step
from serving.policy.cases import to_us
from serving.policy.settings import PolicySettings
from serving.settings import Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from serving.store.store import Store
from training.bandit.policy import VariantPolicy
from training.registry.entries import ModelName, NoChampion
from training.registry.servable import (
    CaseModel,
    ChannelModel,
    ChurnModel,
    SendTimeModel,
    UpliftModel,
)
from training.registry.tracking import Tracking


def load_champions(tracking: Tracking) -> Models:
    """The models that are served; None where none has been promoted.

    Raises:
        IncompatibleModelError: One was made with other feature definitions than the running ones.
    """
    found = {name: tracking.load_champion(name) for name in ModelName}
    churn, channel, send_time, uplift, retention = (
        None if isinstance(found[name], NoChampion) else found[name]
        for name in (
            ModelName.CHURN,
            ModelName.CHANNEL,
            ModelName.SEND_TIME,
            ModelName.UPLIFT,
            ModelName.RETENTION,
        )
    )
    if not (
        (churn is None or isinstance(churn, ChurnModel))
        and (channel is None or isinstance(channel, ChannelModel))
        and (send_time is None or isinstance(send_time, SendTimeModel))
        and (uplift is None or isinstance(uplift, UpliftModel))
        and (retention is None or isinstance(retention, CaseModel))
    ):
        raise BadInputError("the registry holds a model of the wrong kind under one of its names")
    models = Models(churn, channel, send_time, uplift, retention)
    models.require_running_features()
    return models


def learn_bandit(
    tables: Tables,
    store: Store,
    *,
    as_of: datetime,
    policy: PolicySettings,
    engine: Engine = DUCKDB,
) -> VariantPolicy:
    """What every message teaches, learned from the beginning of tables and store.

    A message that stands in both counts once; the store knows the outcomes that were reported
    to it, the tables what the company recorded, and either success is a success.
    """
    history = read_history(tables, as_of=as_of, rule=rule_of(policy), engine=engine)
    return learn_from_log(store, history, as_of=as_of, policy=policy).served


def publish(
    settings: Settings,
    tables: Tables,
    *,
    as_of: datetime,
    models: Models,
    policy: PolicySettings,
    store: Store,
) -> Snapshot:
    """Make a snapshot of what is known before `as_of`, and let it be served.

    What the tables say of messages is kept for the learner, which knows the store alone, and
    disruptions that are going on become incidents. Learning
    goes on from what is settled already, and becomes a version of the learner's own, unless one is
    at work here or has looked at the log later than this.
    """
    follow_tables(store, tables, as_of=as_of, settings=policy.disruptions)
    files = LearnerFiles(settings.bandit)
    files.keep_history(read_history(tables, as_of=as_of, rule=rule_of(policy)))
    with files.locked_if_free() as is_ours:
        served = files.load_served()
        if is_ours and (served is None or served.as_of_us <= to_us(as_of)):
            learned = take_step(files, store, as_of=as_of, policy=policy).learned
        else:
            learned = look(files, store, as_of=as_of, policy=policy).learned
    snapshot = make_snapshot(tables, as_of=as_of, models=models, bandit=learned.served)
    return publish_snapshot(snapshot, settings.snapshots)
