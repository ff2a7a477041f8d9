import json
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from features.checks import require_valid
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.evaluation import Estimate, HeldOut, Judged, Scored, judge
from training.evaluation.capacity import Capacity
from training.evaluation.leakage import LeakageCheck
from training.examine import Examination, examine
from training.registry.entries import ModelName
from training.registry.servable import SendTimeModel
from training.registry.tracking import Tracking, TrainingRecord

N = 1500
LEAK = LeakageCheck("auc", Estimate(0.97, 0.9, 1.0), chance=0.5, n_rows=N, suspects=("refunded",))
CLEAN = LeakageCheck("auc", Estimate(0.51, 0.4, 0.6), chance=0.5, n_rows=N)


@pytest.fixture(scope="module")
def customers() -> Tables:
    """Of the customers a third speaks Kazakh, and one in a hundred English."""
    ids = np.array([f"c{i:04d}" for i in range(N)])
    frame = pd.DataFrame(
        {
            "customer_id": ids,
            "signed_up_at": pd.Timestamp("2025-01-01", tz="UTC"),
            "language": np.where(
                np.arange(N) % 100 == 0, "en", np.where(np.arange(N) % 3 == 0, "kk", "ru")
            ),
            "timezone": "UTC",
            **{
                f"consent_{channel}": True
                for channel in ("email", "sms", "push", "in_app", "whatsapp")
            },
        }
    )
    return require_valid({"customers": frame})


@pytest.fixture(scope="module")
def held_out(customers: Tables) -> HeldOut:
    """True probabilities, but for Kazakh customers each has another one's."""
    rng = np.random.default_rng(1)
    p = rng.beta(1.0, 3.0, N)
    labels = rng.random(N) < p
    is_kk = (customers["customers"]["language"] == "kk").to_numpy()
    p[is_kk] = rng.permutation(p[is_kk])
    return HeldOut(
        customers=customers["customers"]["customer_id"].to_numpy(dtype=object),
        moments=np.full(N, np.datetime64("2026-01-01", "us")),
        ours=judge(p, labels=labels),
        baseline=judge(np.full(N, 0.25), labels=labels),
        is_list=True,
    )


def look(
    held_out: HeldOut | None,
    tables: Tables,
    leakage: LeakageCheck | NotEnoughData | None = CLEAN,
) -> Examination:
    capacity = Capacity(n_customers=100)
    return examine(held_out, tables=tables, capacity=capacity, leakage=leakage, seed=1)


def test_examination_gives_metrics_for_slices_calls_and_leaks(
    held_out: HeldOut, customers: Tables
) -> None:
    metrics = look(held_out, customers).to_metrics()
    assert metrics["slice.language.kk.auc"] == pytest.approx(0.5, abs=0.06)
    assert metrics["slice.language.ru.auc"] > 0.65
    assert metrics["slice.language.kk.auc_gap"] < -0.1
    assert metrics["slice.language.kk.loss_over_baseline"] > 0
    assert metrics["slice.language.ru.loss_over_baseline"] < 0
    assert not [name for name in metrics if name.startswith("slice.language.en")]
    assert metrics["capacity.n_called"] == 100
    assert metrics["capacity.lift"] > 1.3 > metrics["capacity.lift_baseline"]
    assert metrics["capacity.lift_low"] < metrics["capacity.lift"] < metrics["capacity.lift_high"]
    assert metrics["leakage.auc"] == 0.51
    assert metrics["leakage.found"] == 0.0


def test_examination_says_what_a_reader_must_know(held_out: HeldOut, customers: Tables) -> None:
    notes = look(held_out, customers).to_notes()
    assert set(notes) == {"slices"}
    assert notes["slices"].startswith("ranks worse than elsewhere for language kk: AUC ")
    leaky = look(held_out, customers, LEAK)
    assert "refunded" in leaky.to_notes()["leakage"]
    assert leaky.to_params() == {"capacity": "100", "leakage_check": "failed"}


def test_document_holds_everything_with_intervals(held_out: HeldOut, customers: Tables) -> None:
    document = json.loads(look(held_out, customers).to_json())
    (outcome,) = document["outcomes"].values()
    assert {part["value"] for part in outcome["slices"]["slices"]} == {"ru", "kk"}
    assert [(part["value"], part["n_rows"]) for part in outcome["slices"]["too_small"]] == [
        ("en", 15)
    ]
    assert outcome["capacity"]["ours"]["precision"]["low"] > 0
    assert sum(point["n_rows"] for point in outcome["calibration"]["curve"]) == N
    assert document["leakage"]["suspects"] == []


def test_several_outcomes_are_named_and_those_that_never_happen_left_out(
    held_out: HeldOut, customers: Tables
) -> None:
    scored = held_out.ours.scores[""]
    never = Scored(scored.p, np.zeros(N, dtype=bool))
    losses = held_out.ours.losses
    several = HeldOut(
        customers=held_out.customers,
        moments=held_out.moments,
        ours=Judged(losses, 0.01, {"opened": scored, "unsubscribed": never}),
        baseline=Judged(losses, 0.01),
    )
    metrics = look(several, customers).to_metrics()
    assert "opened.slice.language.kk.auc" in metrics
    assert not [name for name in metrics if "unsubscribed" in name or "capacity" in name]


def test_model_without_held_out_rows_is_looked_at_for_leaks_alone(customers: Tables) -> None:
    why = NotEnoughData("too few")
    assert look(None, customers, why).to_metrics() == {}
    assert look(None, customers, why).to_params() == {"leakage_check": "not made: too few"}
    assert json.loads(look(None, customers, why).to_json())["leakage"] == {"reason": "too few"}


def test_examination_is_logged_with_the_run(
    make_tracking: Callable[[], Tracking], held_out: HeldOut, customers: Tables
) -> None:
    record = TrainingRecord(
        name=ModelName.SEND_TIME,
        model=SendTimeModel("", (1 / 168,) * 168, 20.0),
        trained_until=datetime(2026, 1, 1, tzinfo=UTC),
        fingerprint="f",
        tables=("customers",),
        params={},
        metrics={f"metric_{i}": float(i) for i in range(1500)},  # more than MLflow takes at once
    )
    tracking = make_tracking()
    version = tracking.log_training(look(held_out, customers).add_to(record))
    run = MlflowClient(tracking.uri, tracking.uri).get_run(version.run_id)
    assert len(run.data.metrics) > 1500
    assert run.data.params["capacity"] == "100"
    assert "language kk" in run.data.tags["slices"]
    text = tracking.read_document(version.run_id, "evaluation.json")
    assert text == look(held_out, customers).to_json()
