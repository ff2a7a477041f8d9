"""What a case of a playbook does to a customer: learned from those that chance held out.

Opening a case is one thing, doing something about it another: the holdout's cases are opened by the
same rule and left alone. So what was done is compared with what would have happened, whoever was
picked and however many of them would have stayed anyway. The law is that of `training.retention`,
with one lever for each reason's steps.

Trained on early cases and judged on later ones, as every model is (`training.gate`): the window
begins once the last early case has been watched to its end.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Final, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, logit

from features.errors import BadInputError, IncompatibleModelError
from training.datasets.provenance import Customers, NotEnoughData
from training.datasets.split import to_datetime
from training.evaluation import Judged
from training.evaluation.judged import ONLY_OUTCOME, Scored
from training.gate import Contender, GateWindow, Hold, Promote, decide
from training.measures import Bools, Floats, log_losses
from training.promote import settle
from training.registry.audit import Audit
from training.registry.entries import Alias, ModelName, ModelVersion, NoVersion
from training.registry.servable.case_effect import CASE_LEVERS, AtOpening, CaseModel
from training.registry.tracking import Tracking, TrainingRecord
from training.retention import NO_LEVER, RetentionCases, fit_retention

BASELINE: Final = "contact that changes nothing"
LEAST_LATER: Final = 30
"""Later cases of either kind: fewer judge nothing."""

_LATER_SHARE: Final = 0.3
_RIDGE: Final = 1e-3
_LEAST_P: Final = 1e-6
_Z: Final = 1.96


@dataclass(frozen=True)
class CaseLog:
    """Cases whose horizon is over and of which chance decided whether anything was done, n of them.

    Attributes:
        customers: As they were when the cases were opened.
        customer_id: Who, (n,).
        opened_at: When, (n,), UTC microseconds without a zone.
        acted: Whether anything was done; the others are the holdout, (n,).
        lost: Whether the customer was lost within the horizon, (n,).
        horizon_days: Days after the opening.
    """

    customers: AtOpening
    customer_id: Customers
    opened_at: npt.NDArray[np.datetime64]
    acted: Bools
    lost: Bools
    horizon_days: int

    def __post_init__(self) -> None:
        n = len(self.customers.p_churn)
        for name in ("customer_id", "opened_at", "acted", "lost"):
            if len(getattr(self, name)) != n:
                raise BadInputError(f"cases: {name} has {len(getattr(self, name))} rows, not {n}")

    def __len__(self) -> int:
        """Cases."""
        return len(self.acted)

    def take(self, rows: npt.NDArray[np.int64]) -> Self:
        """Those cases."""
        return type(self)(
            self.customers.take(rows),
            self.customer_id[rows],
            self.opened_at[rows],
            self.acted[rows],
            self.lost[rows],
            self.horizon_days,
        )

    @property
    def lever(self) -> npt.NDArray[np.int64]:
        """What was done: positions in `CASE_LEVERS`, `NO_LEVER` in the holdout, (n,)."""
        return np.where(self.acted, self.customers.find_levers(), NO_LEVER)

    @property
    def told_at(self) -> npt.NDArray[np.datetime64]:
        """When each horizon was over, (n,)."""
        told: npt.NDArray[np.datetime64] = self.opened_at + np.timedelta64(self.horizon_days, "D")
        return told


def split_log(log: CaseLog) -> tuple[CaseLog, CaseLog] | NotEnoughData:
    """Early cases to learn from, and the later ones to judge by."""
    order = np.argsort(log.opened_at, kind="stable")
    starts_at = log.opened_at[order[int(len(order) * (1.0 - _LATER_SHARE))]] if len(log) else None
    if starts_at is None:
        return NotEnoughData("no case has been watched to the end of its horizon yet")
    early = log.take(np.flatnonzero(log.told_at <= starts_at))
    later = log.take(np.flatnonzero(log.opened_at >= starts_at))
    for name, n in (("acted on", later.acted.sum()), ("held out", (~later.acted).sum())):
        if n < LEAST_LATER:
            return NotEnoughData(
                f"{n} cases {name} among the latest {len(later):,} of {len(log):,}, by which the "
                f"gate judges; expected at least {LEAST_LATER}"
            )
    return early, later


def learn_case_effect(log: CaseLog) -> TrainingRecord | NotEnoughData:
    """Fit the model on the early cases of a log; or what there is too little of."""
    split = split_log(log)
    if isinstance(split, NotEnoughData):
        return split
    early, _ = split
    segments = tuple(sorted({one for one in early.customers.segments if one is not None}))
    cases = RetentionCases(early.customers.describe(segments), early.lever, early.lost)
    law = fit_retention(cases, levers=CASE_LEVERS)
    if isinstance(law, NotEnoughData):
        when = f"opened {log.horizon_days} days before those by which the gate judges"
        return NotEnoughData(f"of the cases {when}: {law.reason}")
    model = CaseModel(law, segments, log.horizon_days)
    return TrainingRecord(
        name=ModelName.RETENTION,
        model=model,
        trained_until=to_datetime(early.told_at.max()),
        fingerprint=_sign(early),
        tables=("playbook_cases",),
        params={"horizon_days": log.horizon_days, "segments": ",".join(segments)},
        metrics=_measure(early, model),
    )


def promote_case_effect(
    log: CaseLog,
    *,
    known_until: datetime,
    tracking: Tracking,
    seed: int,
    audit: Audit | None = None,
) -> Promote | Hold:
    """Let the gate judge the challenger on the later cases, and name it champion if it may be.

    It must not be worse than a model by which contact changes nothing, and not worse than the
    champion. Effects are small beside the noise of some hundred cases: to ask that they be shown
    anew would let none pass, and the model itself says how unsure it is.
    """
    before = tracking.find_number(ModelName.RETENTION, alias=Alias.CHAMPION)
    decision = _decide(log, tracking=tracking, seed=seed)
    settle(decision, before=before, known_until=known_until, tracking=tracking, audit=audit)
    return decision


def _decide(log: CaseLog, *, tracking: Tracking, seed: int) -> Promote | Hold:
    name = ModelName.RETENTION
    candidate = tracking.find(name, alias=Alias.CHALLENGER)
    if isinstance(candidate, NoVersion):
        return Hold(name, ("there is no challenger: train one first",))
    split = split_log(log)
    if isinstance(split, NotEnoughData):
        return Hold(name, (split.reason,), candidate.version)
    early, later = split
    champion = _find_champion(tracking)
    window = GateWindow(
        starts_at=to_datetime(later.opened_at.min()),
        customers=later.customer_id,
        baseline=_judge(_expect_nothing(early, later), later),
        baseline_name=BASELINE,
        may_draw=True,
    )
    return decide(
        name,
        candidate=_enter(candidate, later),
        champion=None if champion is None else _enter(champion, later),
        window=window,
        rng=np.random.default_rng(seed),
    )


def _find_champion(tracking: Tracking) -> ModelVersion | None:
    """The champion, if the running code can read it."""
    try:
        found = tracking.find(ModelName.RETENTION, alias=Alias.CHAMPION)
    except IncompatibleModelError:  # of an earlier release: it must not keep the next one out
        return None
    return None if isinstance(found, NoVersion) else found


def _enter(version: ModelVersion, later: CaseLog) -> Contender:
    model = version.model
    if not isinstance(model, CaseModel):
        raise BadInputError(f"{version.name} {version.version} is a model of another kind")
    p = model.law.p_lost(later.customers.describe(model.segments), lever=later.lever)
    return Contender(version.version, version.trained_until, _judge(p, later))


def _judge(p: Floats, later: CaseLog) -> Judged:
    # Bins of some tens of cases are off by chance alone: calibration is judged by the loss.
    scores = {ONLY_OUTCOME: Scored(p, later.lost)}
    return Judged(log_losses(p, labels=later.lost), None, scores)


def _expect_nothing(early: CaseLog, later: CaseLog) -> Floats:
    """Chance to be lost by p_churn alone, as the early cases of both kinds show it, (n,)."""
    x = logit(np.clip(early.customers.p_churn, _LEAST_P, 1.0 - _LEAST_P))

    def loss(ab: Floats) -> float:
        p = np.clip(expit(ab[0] + ab[1] * x), _LEAST_P, 1.0 - _LEAST_P)
        drawn = _RIDGE * (ab[0] ** 2 + (ab[1] - 1.0) ** 2)
        return float(log_losses(p, labels=early.lost).mean() + drawn)

    a, b = minimize(loss, np.array([0.0, 1.0]), method="Nelder-Mead").x
    then = logit(np.clip(later.customers.p_churn, _LEAST_P, 1.0 - _LEAST_P))
    p: Floats = expit(a + b * then)
    return p


def _measure(early: CaseLog, model: CaseModel) -> dict[str, float]:
    """What the early cases show against their holdout, and what the model makes of it."""
    acted, held = early.lost[early.acted], early.lost[~early.acted]
    saved = float(held.mean() - acted.mean())
    error = _Z * float(np.sqrt(acted.var() / len(acted) + held.var() / len(held)))
    told = model.effects(early.customers)
    return {
        "n_acted": float(len(acted)),
        "n_holdout": float(len(held)),
        "save_rate": float(1.0 - acted.mean()),
        "saved": saved,
        "saved_low": saved - error,
        "saved_high": saved + error,
        "effect": float(told.value.mean()),
        "effect_sd": float(told.sd.mean()),
    }


def _sign(log: CaseLog) -> str:
    digest = blake2b(digest_size=16)
    for name in sorted(log.customer_id.tolist()):
        digest.update(str(name).encode())
    for column in (log.customers.p_churn, log.opened_at.astype(np.int64), log.acted, log.lost):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
