"""A model that was made with other feature definitions is refused, of every kind, at every load."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from features.churn.risk import default_rules
from features.engines.batches import InProcess
from features.errors import IncompatibleModelError
from features.tables import Tables, empty_table
from features.vocabulary import Trigger
from serving.batch.scores import make_scorer
from serving.publish import load_champions
from serving.snapshot.files import load_snapshot, publish_snapshot
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from training.bandit.files import new_bandit
from training.datasets.transit import sign_lateness
from training.evaluation import Estimate
from training.gate import Evidence, Promote
from training.lateness import foretell_lateness
from training.registry.entries import ModelName
from training.registry.servable import FeatureSignature, Servable
from training.registry.tracking import Tracking, TrainingRecord

KINDS = {
    "churn": ModelName.CHURN,
    "channel": ModelName.CHANNEL,
    "send_time": ModelName.SEND_TIME,
}
EVIDENCE = Evidence(10, 10, 0.01, Estimate(-0.1, -0.2, -0.05), None)

each_kind = pytest.mark.parametrize("kind", list(KINDS))


def make_old(models: Models, kind: str) -> Models:
    """The models, one of them made with other definitions of the same features."""
    model: Servable = getattr(models, kind)
    signature = FeatureSignature(model.signature.names, "old")
    changed: Models = replace(models, **{kind: replace(model, signature=signature)})
    return changed


def serve(tracking: Tracking, name: ModelName, model: Servable) -> None:
    record = TrainingRecord(
        name=name,
        model=model,
        trained_until=datetime(2026, 1, 1, tzinfo=UTC),
        fingerprint="f",
        tables=(),
        params={},
        metrics={},
    )
    version = tracking.log_training(record).version
    tracking.set_champion(Promote(name, version, EVIDENCE))


def test_champion_with_other_features_is_refused_by_whoever_loads_it(
    models: Models, tables: Tables, tmp_path: Path
) -> None:
    tracking = Tracking.in_folder(tmp_path)
    for kind, name in KINDS.items():
        serve(tracking, name, getattr(make_old(models, kind), kind))
        with pytest.raises(IncompatibleModelError, match=f"model {kind.replace('_', ' ')} was"):
            load_champions(tracking)
        serve(tracking, name, getattr(models, kind))
    assert load_champions(tracking).can_score

    assert models.churn is not None
    old = FeatureSignature(sign_lateness().names, "old")
    serve(tracking, ModelName.LATENESS, replace(models.churn.boosters[30], signature=old))
    parcels = {**tables, "shipments": empty_table("shipments")}
    with pytest.raises(IncompatibleModelError, match="was made with features old"):
        foretell_lateness(tracking, parcels, as_of=datetime(2026, 6, 1, tzinfo=UTC))


@each_kind
def test_snapshot_is_not_made_of_a_model_with_other_features(
    tables: Tables, models: Models, snapshot: Snapshot, kind: str
) -> None:
    old = make_old(models, kind)
    with pytest.raises(IncompatibleModelError, match="was made with features old"):
        make_snapshot(tables, as_of=snapshot.as_of, models=old, bandit=new_bandit())


@each_kind
def test_snapshot_from_before_the_features_changed_is_not_served(
    snapshot: Snapshot, tmp_path: Path, kind: str
) -> None:
    publish_snapshot(snapshot, tmp_path)
    path = tmp_path / "000001" / f"{kind}.model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"digest": "old"}))
    with pytest.raises(IncompatibleModelError, match="was made with features old"):
        load_snapshot(tmp_path)


@each_kind
def test_scores_are_not_made_by_a_model_with_other_features(
    models: Models, tmp_path: Path, kind: str
) -> None:
    pd.DataFrame({"customer_id": ["c1"]}).to_parquet(tmp_path / "features.parquet")
    for trigger in (None, Trigger.INACTIVITY):
        with pytest.raises(IncompatibleModelError, match="was made with features old"):
            make_scorer(
                make_old(models, kind),
                tmp_path / "features.parquet",
                mapper=InProcess(),
                rules=default_rules(),
                trigger=trigger,
            )
