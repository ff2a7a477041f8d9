import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import lightgbm
import numpy as np
import pytest

import training.monitoring.profile
import training.promote
import training.retrain
import training.train
from features.errors import ConflictError
from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.evaluation import HeldOut, Judged
from training.evaluation.capacity import DEFAULT, Capacity
from training.examine import Examination
from training.gate import GateWindow
from training.models.recipe import LaterRows, Recipe
from training.registry.audit import Audit
from training.registry.entries import Alias, ModelName, NoVersion
from training.registry.history import read_versions
from training.registry.servable import BoosterModel, FeatureSignature
from training.registry.tracking import Tracking, TrainingRecord
from training.retrain import Done, Retrained, hold_lock, retrain_models
from training.train import TrainedModel, train_model
from training.trained_on import period_of

AUDIT = Audit("cron", datetime(2026, 8, 1, tzinfo=UTC))
MakeTracking = Callable[[], Tracking]


NAME = ModelName.LATENESS
SIGNATURE = FeatureSignature(("a",), "d1")
N_ROWS = 200


def make_booster() -> BoosterModel:
    X = np.linspace(-1.0, 1.0, 300)[:, None]
    rows = lightgbm.Dataset(X, label=X[:, 0] > 0, feature_name=["a"])
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    text = lightgbm.train(params, rows, num_boost_round=3).model_to_string()
    return BoosterModel("late", "", SIGNATURE, text)


def learn(tables: Tables, /, *, known_until: datetime, seed: int) -> TrainingRecord | NotEnoughData:
    """A quick model for a shop: what is tested is when it is made, not what it knows."""
    if "activity" not in tables:
        return NotEnoughData("there is no activity")
    return TrainingRecord(
        name=NAME,
        model=make_booster(),
        trained_until=known_until - timedelta(days=30),
        fingerprint="f" * 64,
        tables=("activity",),
        params={"seed": seed},
        metrics={},
    )


def find_later_rows(
    tables: Tables, /, *, known_until: datetime, seen_until: datetime, fit_until: datetime
) -> LaterRows | NotEnoughData:
    customers = np.array([f"c{n}" for n in range(N_ROWS)], dtype=object)
    baseline = Judged(np.ones(N_ROWS), None)
    window = GateWindow(
        starts_at=seen_until, customers=customers, baseline=baseline, baseline_name="one rate"
    )
    return LaterRows(window, lambda _: Judged(np.full(N_ROWS, 0.9), None))


class Month:
    """A quick model, retrained as cron would."""

    def __init__(self, tables: Tables, make_tracking: MakeTracking, until: datetime) -> None:
        self.tables, self.make_tracking, self.until = tables, make_tracking, until

    def train(self) -> TrainedModel:
        """As `opportune train` does, which leads nothing to the gate."""
        trained = train_model(
            NAME, self.tables, known_until=self.until, tracking=self.make_tracking(), seed=1
        )
        assert isinstance(trained, TrainedModel)
        return trained

    def retrain(
        self, *, days_later: int = 0, seed: int = 1, capacity: Capacity = DEFAULT
    ) -> Retrained:
        (done,) = retrain_models(
            self.tables,
            known_until=self.until + timedelta(days=days_later),
            tracking=self.make_tracking(),
            seed=seed,
            audit=AUDIT,
            names=(NAME,),
            capacity=capacity,
        )
        return done

    def versions(self) -> list[str]:
        return [one.version for one in read_versions(self.make_tracking(), NAME)]


@pytest.fixture
def month(
    shop_tables: Tables,
    make_tracking: MakeTracking,
    shop_end: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> Month:
    quick = {NAME: Recipe(NAME, learn, find_later_rows, SIGNATURE)}
    for module in (training.train, training.promote):
        monkeypatch.setattr(module, "RECIPES", quick)
    monkeypatch.setattr(training.monitoring.profile, "VIEWS", {})
    return Month(shop_tables, make_tracking, shop_end - timedelta(days=20))  # the tenth of July


def test_retraining_trains_judges_and_does_nothing_twice(month: Month) -> None:
    first = month.retrain()
    again, later = month.retrain(), month.retrain(days_later=5)
    history = month.make_tracking().read_history(NAME)

    assert (first.done, first.version, first.is_promoted) == (Done.TRAINED, "1", True)
    assert (again.done, later.done) == (Done.NOT_DUE, Done.NOT_DUE)
    assert "2026-07" in again.reason
    assert month.versions() == ["1"]
    assert [(event.version, event.by) for event in history] == [("1", "cron")]


def test_retraining_begins_anew_in_a_new_month_and_for_another_seed(month: Month) -> None:
    month.retrain()

    assert month.retrain(seed=2).version == "2"
    assert month.retrain(days_later=-30).version == "3"  # June, as it was known then


def test_retraining_waits_where_no_row_has_come_since(month: Month) -> None:
    month.until = month.until + timedelta(days=20)  # the shop's end: nothing is known later
    month.retrain()
    waits = month.retrain(days_later=30)

    assert waits.done is Done.NOT_DUE
    assert "say what they said" in waits.reason
    assert month.versions() == ["1"]


def test_training_that_was_killed_half_way_is_repeated(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        # A kill leaves the run as it is: neither finished nor failed, nothing registered.
        patch.setattr(Tracking, "_register", kill)
        with pytest.raises(SystemExit):
            month.retrain()
    assert isinstance(month.make_tracking().find(NAME, alias=Alias.CHALLENGER), NoVersion)

    assert month.retrain().done is Done.TRAINED
    assert month.versions() == ["1"]


def test_version_that_the_gate_did_not_see_is_judged_and_not_trained_again(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(training.retrain, "promote", kill)
        with pytest.raises(SystemExit):
            month.retrain()
    resumed = month.retrain()

    assert (resumed.done, resumed.version, resumed.is_promoted) == (Done.JUDGED, "1", True)
    assert month.versions() == ["1"]


@pytest.mark.parametrize(
    ("later", "why"), [(0, "in 2026-07"), (60, "say what they said")], ids=["month", "same tables"]
)
def test_version_of_a_plain_training_is_judged_and_then_not_due(
    month: Month, later: int, why: str
) -> None:
    if later:
        month.until = month.until + timedelta(days=20)  # the shop's end: nothing is known later
    month.train()
    month.train()
    judged, again = month.retrain(days_later=later), month.retrain(days_later=later)

    assert (judged.done, judged.version, judged.is_promoted) == (Done.JUDGED, "2", True)
    assert (again.done, again.version) == (Done.NOT_DUE, "2")
    assert why in again.reason
    assert month.versions() == ["1", "2"]


def test_version_that_gave_way_to_a_later_one_is_not_judged_in_its_stead(month: Month) -> None:
    month.train()
    month.retrain(seed=2)

    assert month.retrain().done is Done.NOT_DUE
    assert [event.version for event in month.make_tracking().read_history(NAME)] == ["2"]


def test_retraining_reckons_with_the_capacity_that_it_is_given(
    month: Month, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Capacity] = []

    def look(held_out: HeldOut | None, *, capacity: Capacity, **rest: object) -> Examination:
        given.append(capacity)
        return Examination()

    monkeypatch.setattr(training.train, "examine", look)
    month.retrain(capacity=Capacity(share=0.1))

    assert given == [Capacity(share=0.1)]


def kill(*args: object, **kwargs: object) -> None:
    raise SystemExit(137)


def test_what_cannot_be_learned_yet_is_said(month: Month) -> None:
    month.tables = {"customers": month.tables["customers"]}
    done = month.retrain()

    assert done.done is Done.NOT_ENOUGH
    assert done.version is None
    assert done.reason


def try_to_lock(folder: str, answer: "multiprocessing.Queue[str]") -> None:
    try:
        with hold_lock(Path(folder)):
            answer.put("locked")
    except ConflictError as fault:
        answer.put(str(fault))


def ask_another_process(folder: Path) -> str:
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.Queue[str] = context.Queue()
    other = context.Process(target=try_to_lock, args=(str(folder), answer))
    other.start()
    said = answer.get(timeout=30)
    other.join()
    return said


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_two_processes_do_not_retrain_at_once(tmp_path: Path) -> None:
    with hold_lock(tmp_path):
        refused = ask_another_process(tmp_path)
    assert "another process is training here" in refused
    assert ask_another_process(tmp_path) == "locked"


def test_period_is_the_month_in_utc() -> None:
    almaty = datetime.fromisoformat("2026-07-01T03:00+05:00")
    assert period_of(almaty) == "2026-06"
