"""Who is lost: the model finds what facts can tell, and naive ways fail in the known direction."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from features.errors import BadInputError
from training.benchmarks.models.world import expected_auc
from training.boosting import LabelledRows, fit_booster
from training.churn import TrainedChurn, train_churn
from training.datasets.churn import ChurnDataset, build_churn_dataset
from training.datasets.split import to_datetime
from training.measures import Floats
from training.world.foresight import foresee_lost
from training.world.simulated import SimulatedWorld


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(seed=1, n_customers=4_000, days=180)


@pytest.fixture(scope="module")
def dataset(world: SimulatedWorld) -> ChurnDataset:
    built = build_churn_dataset(world.tables(world.start), known_until=world.start)
    assert isinstance(built, ChurnDataset)
    return built


@pytest.fixture(scope="module")
def trained(dataset: ChurnDataset) -> TrainedChurn:
    result = train_churn(dataset, seed=1)
    assert isinstance(result, TrainedChurn)
    return result


def find_chances(world: SimulatedWorld, rows: ChurnDataset) -> Floats:
    """The world's own score of each row."""
    ids, moments = sorted(set(rows.customers.tolist())), np.unique(rows.moments)
    scores = world.p_lost(ids, moments=[to_datetime(moment) for moment in moments])
    return scores[np.searchsorted(ids, rows.customers), np.searchsorted(moments, rows.moments)]


def test_the_worlds_own_score_is_how_often_customers_are_lost(
    world: SimulatedWorld, dataset: ChurnDataset
) -> None:
    chances = find_chances(world, dataset)
    for p in np.unique(np.digitize(chances, [0.03, 0.1, 0.3])):
        mine = np.digitize(chances, [0.03, 0.1, 0.3]) == p
        lost, foretold = dataset.labels[mine], chances[mine]
        # Moments are ten days apart: three rows say little more than one.
        error = 3 * np.sqrt(3 * foretold.mean() / mine.sum())
        assert abs(lost.mean() - foretold.mean()) < error


def test_churn_model_finds_more_than_silence(world: SimulatedWorld, trained: TrainedChurn) -> None:
    """Customers leave because of problems; silence is only a late sign of them."""
    chances = find_chances(world, trained.test)
    ours = expected_auc(trained.p_test, chances=chances)
    assert ours > expected_auc(trained.p_baseline, chances=chances) + 0.03
    assert trained.comparison.difference.log_loss.value < 0
    assert trained.comparison.ours.calibration_error.value < 0.02
    assert abs(trained.p_test.mean() - chances.mean()) < 0.01


def test_facts_tell_less_than_moods_and_more_than_the_model(
    world: SimulatedWorld, trained: TrainedChurn
) -> None:
    moment = to_datetime(trained.test.moments.max())
    newest = trained.test.take(trained.test.moments == trained.test.moments.max())
    drawn = np.random.default_rng(2).permutation(len(newest.labels))[:700]
    ids = newest.customers[drawn].tolist()
    chances = world.p_lost(ids, moments=[moment])[:, 0]
    best = world.p_lost_from_facts(ids, moments=[moment])[:, 0]
    ours = trained.model.predict(newest.X[drawn])
    of_moods, of_facts = (expected_auc(p, chances=chances) for p in (chances, best))
    assert of_moods > of_facts + 0.05
    assert of_facts > expected_auc(ours, chances=chances)
    # Bayes' rule is calibrated: on what it says, the truth rises one to one, whatever it says.
    slope = np.polyfit(best, chances, 1)[0]
    assert abs(best.mean() - chances.mean()) < 0.006
    assert 0.75 < slope < 1.25


def test_the_best_score_from_facts_reads_nothing_of_the_future(world: SimulatedWorld) -> None:
    moment = world.start - timedelta(days=40)
    ids = world.tables(moment)["customers"]["customer_id"].tolist()[:60]
    people = world._realm.people
    scores = [
        foresee_lost(people, world.tables(until), customer_ids=ids, moments=[moment])
        for until in (moment, world.start)
    ]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-9)


def test_a_random_split_claims_more_than_is_true(
    world: SimulatedWorld, dataset: ChurnDataset, trained: TrainedChurn
) -> None:
    """Neighbouring moments of a customer share their label: a random split tests on what it saw."""
    part = np.random.default_rng(3).choice(3, size=len(dataset.labels), p=[0.6, 0.2, 0.2])
    rows = [LabelledRows(dataset.X[part == n], dataset.labels[part == n]) for n in range(3)]
    fitted = fit_booster(
        "churn",
        signature=dataset.provenance.signature,
        train=rows[0],
        calibration=rows[1],
        seed=1,
    )
    p = fitted.model.predict(rows[2].X)
    claimed = expected_auc(p, chances=rows[2].labels.astype(np.float64))
    true = expected_auc(p, chances=find_chances(world, dataset.take(part == 2)))
    assert claimed > true + 0.01
    honest = trained.comparison.ours.auc
    forward = expected_auc(trained.p_test, chances=find_chances(world, trained.test))
    assert honest.low < forward
    assert claimed - true > honest.value - forward


@pytest.mark.parametrize(
    ("customer", "shift", "expected"),
    [("nobody", timedelta(0), "nobody"), ("c000000", timedelta(hours=1), "first moment")],
)
def test_the_truth_of_nobody_or_of_no_midnight_is_refused(
    world: SimulatedWorld, customer: str, shift: timedelta, expected: str
) -> None:
    moment: datetime = world.start - timedelta(days=30) + shift
    with pytest.raises(BadInputError, match=expected):
        world.p_lost([customer], moments=[moment])
    with pytest.raises(BadInputError, match=expected):
        world.p_lost_from_facts([customer], moments=[moment])
