import numpy as np
import pytest

from training.evaluation import Scored, judge
from training.monitoring.matured import find_defeat, find_miscalibration, find_wrong_curve
from training.monitoring.status import Status

N = 4_000


def draw(rng: np.random.Generator, *, times: float) -> tuple[Scored, np.ndarray]:
    """Foretold and observed, three rows of each customer; the truth is `times` what is foretold."""
    p = np.repeat(rng.beta(1.0, 15.0, size=N // 3 + 1), 3)[:N]
    labels = rng.random(N) < np.minimum(p * times, 1.0)
    return Scored(p, labels), (np.arange(N) // 3).astype(object)


@pytest.mark.parametrize("seed", range(12))
def test_labels_as_foretold_are_fine_and_shifted_ones_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, customers = draw(rng, times=1.0)
    shifted, _ = draw(rng, times=2.0)

    fine = find_miscalibration("", true, customers=customers, rng=rng)
    found = find_miscalibration("", shifted, customers=customers, rng=rng)
    curve = find_wrong_curve("", shifted, rng=rng)
    assert fine is not None
    assert fine.status is Status.OK
    assert find_wrong_curve("", true, rng=rng).status is Status.OK
    assert found is not None
    assert found.status is Status.ALARM
    assert curve.value > curve.watch_from
    assert "foretold" in found.words


def test_fewer_events_than_foretold_are_found_too() -> None:
    rng = np.random.default_rng(3)
    scored, customers = draw(rng, times=0.4)

    found = find_miscalibration("clicked", scored, customers=customers, rng=rng)
    assert found is not None
    assert (found.subject, found.status) == ("clicked", Status.ALARM)


def test_too_few_events_say_nothing() -> None:
    scored = Scored(np.full(100, 0.1), np.zeros(100, dtype=bool))
    rng = np.random.default_rng(4)

    assert find_miscalibration("", scored, customers=np.arange(100).astype(object), rng=rng) is None


@pytest.mark.parametrize(("is_upside_down", "status"), [(False, Status.OK), (True, Status.ALARM)])
def test_model_that_does_worse_than_the_baseline_is_an_alarm(
    is_upside_down: bool, status: Status
) -> None:
    rng = np.random.default_rng(5)
    scored, customers = draw(rng, times=1.0)
    p = 0.3 - scored.p.clip(max=0.29) if is_upside_down else scored.p
    flat = np.full(N, scored.labels.mean())

    found = find_defeat(
        judge(p, labels=scored.labels),
        baseline=judge(flat, labels=scored.labels),
        baseline_name="one rate",
        customers=customers,
        rng=rng,
    )
    assert found.status is status
    assert "one rate" in found.words
