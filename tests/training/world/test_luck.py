import numpy as np
import pytest

from training.world.luck import Luck, stable_bits


def test_luck_is_the_same_on_every_machine() -> None:
    # Pinned: a change here changes every world of every seed.
    luck = Luck(7)
    keys = luck.keys(np.array([1, 2]), np.array([30, 40]))
    assert stable_bits("see") == 622820611536746475
    assert luck.uniform(keys, purpose="see") == pytest.approx(
        [0.9364690731726977, 0.48574047387917646], abs=1e-15
    )
    assert luck.of_day(3, subject="visits").random(2) == pytest.approx(
        [0.6770806053491965, 0.34652329160316786], abs=1e-15
    )


def test_of_day_starts_anew_and_differs_by_day_subject_and_seed() -> None:
    def draw(seed: int, day: int, subject: str) -> float:
        return float(Luck(seed).of_day(day, subject=subject).random())

    assert draw(1, 2, "a") == draw(1, 2, "a")
    assert len({draw(1, 2, "a"), draw(1, 3, "a"), draw(1, 2, "b"), draw(2, 2, "a")}) == 4


def test_uniform_is_uniform_and_independent_between_purposes() -> None:
    n = 200_000
    luck = Luck(0)
    keys = luck.keys(np.arange(n) % 400, np.arange(n) // 400 * 3_600_000_000)
    first, second = (luck.uniform(keys, purpose=purpose) for purpose in ("see", "leave"))
    shares = np.histogram2d(first, second, bins=10, range=((0, 1), (0, 1)))[0] / n
    assert np.abs(shares - 0.01).max() < 5 * np.sqrt(0.01 / n)
