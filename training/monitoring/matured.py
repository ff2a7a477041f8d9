"""Whether a model still tells the truth, by rows that it has not seen and whose outcome is known.

Only rows whose horizon has passed count, whatever came of them: the others would lack their late
outcomes, and every model would look too gloomy or too bright.
"""

import numpy as np

from training.datasets.provenance import Customers
from training.evaluation import Estimate, Judged, Scored, estimate, mean_difference
from training.gate import GateBounds
from training.measures import Floats, make_calibration_error
from training.monitoring.status import Finding, Status, grade

N_RESAMPLES = 400
FEWEST_EVENTS = 20.0
_TAILS = (0.5, 99.5)
_N_DRAWN = 40
ALLOWED_ERROR = GateBounds().max_calibration_error
_ALARM_RATIO = 1.25
_WATCH_RATIO = 1.1


def find_miscalibration(
    outcome: str, scored: Scored, *, customers: Customers, rng: np.random.Generator
) -> Finding | None:
    """Whether the event is as frequent as was foretold; None with fewer than 20 expected.

    Measured is the ratio of the two, the larger over the smaller, of which the whole 99 % interval
    (customers drawn anew) must be beyond 1.1 to be watched and beyond 1.25 to alarm. The number of
    a finding is that end of the interval which is nearer to 1; 1 where the interval holds 1.
    """
    foretold = float(scored.p.sum())
    if foretold < FEWEST_EVENTS:
        return None
    ratio = _estimate_ratio(scored, customers=customers, rng=rng)
    sure = max(ratio.low, 1.0 / max(ratio.high, 1e-9), 1.0)
    return Finding(
        subject=outcome or "calibration in the large",
        status=grade(sure, watch_from=_WATCH_RATIO, alarm_from=_ALARM_RATIO),
        value=sure,
        watch_from=_WATCH_RATIO,
        alarm_from=_ALARM_RATIO,
        words=f"{_name(outcome)}foretold {scored.p.mean():.2%}, happened "
        f"{scored.labels.mean():.2%}: {ratio.value:.2f} times, 99 % interval {ratio.low:.2f} to "
        f"{ratio.high:.2f}, {len(scored.p):,} rows",
        unit="times",
    )


def find_wrong_curve(outcome: str, scored: Scored, *, rng: np.random.Generator) -> Finding:
    """Whether the calibration error is more than the gate allows, and more than chance makes.

    What chance makes is drawn: labels that follow the probabilities exactly have an error, too.
    """
    ones = np.ones(len(scored.p))
    error = make_calibration_error(scored.p, scored.labels)(ones)
    by_chance = [
        make_calibration_error(scored.p, rng.random(len(scored.p)) < scored.p)(ones)
        for _ in range(_N_DRAWN)
    ]
    # Rows of one customer hang together, and so chance makes more than independent rows show.
    limit = max(ALLOWED_ERROR, 1.5 * float(np.max(by_chance)))
    return Finding(
        subject=f"{_name(outcome)}calibration error",
        status=grade(error, watch_from=limit, alarm_from=2.0 * limit),
        value=error,
        watch_from=limit,
        alarm_from=2.0 * limit,
        words=f"{_name(outcome)}the calibration error is {error:.3f}",
    )


def find_defeat(
    ours: Judged,
    *,
    baseline: Judged,
    baseline_name: str,
    customers: Customers,
    rng: np.random.Generator,
) -> Finding:
    """Whether the model does worse than the plain baseline that it had to beat at the gate.

    The number is the lower end of the 95 % interval of the paired loss difference: in nats where
    the loss is a log loss, in squared errors for uplift.
    """
    loss = mean_difference(ours.losses, other=baseline.losses, customers=customers, rng=rng)
    is_worse, is_better = loss.low > 0, loss.high < 0
    verdict = "better than" if is_better else "worse than" if is_worse else "not told apart from"
    return Finding(
        subject=f"against {baseline_name}",
        status=Status.ALARM if is_worse else Status.OK,
        value=max(loss.low, 0.0),
        watch_from=0.0,
        alarm_from=0.0,
        words=f"{verdict} {baseline_name}: loss {loss.value:+.4f} a row, 95 % interval "
        f"{loss.low:+.4f} to {loss.high:+.4f}",
    )


def _estimate_ratio(scored: Scored, *, customers: Customers, rng: np.random.Generator) -> Estimate:
    """Observed over foretold, with its 99 % interval."""
    labels = scored.labels.astype(np.float64)

    def ratio(weights: Floats) -> float:
        return float((weights * labels).sum() / (weights * scored.p).sum())

    return estimate(ratio, customers=customers, rng=rng, n_resamples=N_RESAMPLES, tails=_TAILS)


def _name(outcome: str) -> str:
    return f"{outcome}: " if outcome else ""
