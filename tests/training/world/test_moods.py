import numpy as np
import pytest

from training.world.luck import Luck
from training.world.people.draw import draw_population
from training.world.people.moods import (
    CONTENT,
    DISSATISFIED,
    GONE,
    moods_ahead,
    p_lost_ahead,
    step_moods,
)
from training.world.people.population import Population


@pytest.fixture(scope="module")
def people() -> Population:
    return draw_population(Luck(1), n=4_000, history_days=30)


@pytest.mark.parametrize(("start", "column"), [(CONTENT, 0), (DISSATISFIED, 1)])
def test_p_lost_ahead_is_what_stepping_gives(people: Population, start: int, column: int) -> None:
    rng = np.random.default_rng(2)
    expected = p_lost_ahead(people)[:, column].mean()
    runs = []
    for _ in range(25):
        mood = np.full(people.n, start)
        for _ in range(30):
            mood = step_moods(mood, temper=people.temper, luck=rng.random(people.n))
        runs.append((mood == GONE).mean())
    assert np.mean(runs) == pytest.approx(expected, abs=4 * np.std(runs) / 5 + 1e-4)


def test_moods_ahead_counts_each_customers_own_steps(people: Population) -> None:
    who = np.arange(people.n)
    lost = p_lost_ahead(people)
    thirty = moods_ahead(
        np.full(people.n, CONTENT), customer=who, steps=np.full(people.n, 30), temper=people.temper
    )
    assert 1.0 - thirty.sum(axis=1) == pytest.approx(lost[:, 0])
    mixed = moods_ahead(
        np.array([CONTENT, DISSATISFIED, GONE]),
        customer=np.array([0, 0, 0]),
        steps=np.array([0, 0, 3]),
        temper=people.temper,
    )
    assert mixed.tolist() == [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
