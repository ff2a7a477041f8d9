from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from training.evaluation import Judged
from training.gate import Contender, GateBounds, GateWindow, Hold, Promote, decide
from training.measures import Floats
from training.registry.entries import ModelName

STARTS = datetime(2026, 6, 1, tzinfo=UTC)
N = 500


def losses(*, mean: float, seed: int) -> Floats:
    """Losses that differ from row to row, and from model to model by noise of their own."""
    shared = np.random.default_rng(0).gamma(2.0, 0.1, size=N)
    drawn: Floats = shared - shared.mean() + np.random.default_rng(seed).normal(mean, 0.02, size=N)
    return drawn


def contender(
    *,
    mean: float,
    version: str = "2",
    calibration_error: float | None = 0.01,
    trained_until: datetime = STARTS,
    seed: int = 1,
) -> Contender:
    return Contender(
        version, trained_until, Judged(losses(mean=mean, seed=seed), calibration_error)
    )


def window(*, baseline: float = 0.40, faults: tuple[str, ...] = ()) -> GateWindow:
    return GateWindow(
        starts_at=STARTS,
        customers=np.arange(N).astype(str).astype(object),
        baseline=Judged(losses(mean=baseline, seed=3), 0.01),
        baseline_name="recency only",
        faults=faults,
    )


def judge(
    candidate: Contender,
    *,
    champion: Contender | None = None,
    on: GateWindow | None = None,
    bounds: GateBounds | None = None,
) -> Promote | Hold:
    return decide(
        ModelName.CHURN,
        candidate=candidate,
        champion=champion,
        window=on or window(),
        rng=np.random.default_rng(4),
        bounds=bounds,
    )


def test_gate_promotes_the_first_model_that_beats_the_baseline() -> None:
    decision = judge(contender(mean=0.35))
    assert isinstance(decision, Promote)
    assert (decision.name, decision.version) == (ModelName.CHURN, "2")
    assert decision.evidence.over_baseline.high < 0
    assert decision.evidence.over_champion is None
    assert (decision.evidence.n_rows, decision.evidence.n_customers) == (N, N)


def test_gate_takes_a_draw_with_the_baseline_where_the_window_says_so() -> None:
    drawn, worse = contender(mean=0.40), contender(mean=0.45)
    lenient = replace(window(), may_draw=True)
    assert isinstance(judge(drawn), Hold)
    assert isinstance(judge(drawn, on=lenient), Promote)
    held = judge(worse, on=lenient)
    assert isinstance(held, Hold)
    assert held.reasons[0].startswith("it is worse than recency only: loss +0.048")


def test_gate_promotes_a_candidate_as_good_as_the_champion() -> None:
    champion = contender(mean=0.35, version="1", seed=5)
    assert isinstance(judge(contender(mean=0.35), champion=champion), Promote)


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (contender(mean=0.45), "does not beat recency only: loss +0.048"),
        (contender(mean=0.40), "does not beat recency only"),
        (contender(mean=0.38), "worse than the champion: loss +0.029"),
        (contender(mean=0.35, calibration_error=0.09), "calibration error is 0.090"),
        (
            contender(mean=0.35, trained_until=STARTS + timedelta(seconds=1)),
            "the candidate, version 2, has seen labels until 2026-06-01T00:00:01+00:00",
        ),
    ],
    ids=["worse than baseline", "equal to baseline", "worse than champion", "uncalibrated", "leak"],
)
def test_gate_holds_a_bad_candidate_with_its_reason(candidate: Contender, reason: str) -> None:
    decision = judge(candidate, champion=contender(mean=0.35, version="1", seed=5))
    assert isinstance(decision, Hold)
    assert any(reason in given for given in decision.reasons), decision.reasons
    assert decision.version == "2"
    assert decision.evidence is not None


def test_gate_names_every_reason_at_once() -> None:
    decision = judge(
        contender(mean=0.45, calibration_error=0.2, trained_until=STARTS + timedelta(days=1)),
        champion=contender(
            mean=0.35, version="1", seed=5, trained_until=STARTS + timedelta(days=2)
        ),
        on=window(faults=("nothing was randomised",)),
    )
    assert isinstance(decision, Hold)
    assert len(decision.reasons) == 6


def test_gate_takes_no_calibration_error_of_a_model_without_probabilities() -> None:
    assert isinstance(judge(contender(mean=0.35, calibration_error=None)), Promote)


def test_gate_keeps_the_bounds_it_is_given() -> None:
    strict = GateBounds(max_calibration_error=0.005)
    assert isinstance(judge(contender(mean=0.35), bounds=strict), Hold)
