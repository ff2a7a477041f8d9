"""What a company knows before it acts: a churn model, and what its past taught it of contact."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from features.churn import CHURN_FEATURES, churn_labels, eligible_customers
from features.churn.factors import default_factors
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build_features, make_spine
from features.tables import Tables, known_before
from features.uplift_groups import default_borders
from features.vocabulary import Channel, Factor, UpliftGroup
from serving.playbooks.judges import CAUTION, Judged
from serving.playbooks.seen import Seen, find_factors_of
from serving.policy.cases import Floats
from serving.rehearsal.playbooks.levers import ANSWERS, OFFERS, STEPS
from serving.risk.reasons import find_grounds
from serving.snapshot.making import make_profile
from serving.snapshot.state import Customers, Models, Snapshot
from training.bandit.files import new_bandit
from training.datasets.provenance import NotEnoughData
from training.models.table import RECIPES
from training.registry.entries import ModelName
from training.registry.servable import ChurnModel
from training.registry.servable.case_effect import describe_contact
from training.registry.servable.retention import AtRisk, RetentionModel
from training.retention import NO_LEVER, RetentionCases, fit_retention
from training.world.acting.protocol import ActingWorld, Lever

HORIZON_DAYS: Final = 45
"""Of the pilot: who was lost within as many days."""

_LEVERS: Final = tuple(lever.value for lever in Lever)
_DONE: Final = {**OFFERS, **STEPS}
_HOURS_OF_WEEK: Final = 168
_FIRST_REASON, _NEXT_REASON = 1.0, 0.5


@dataclass(frozen=True)
class Knowledge:
    """What was learned from the history.

    Attributes:
        models: The churn model, made of the first half of the history.
        retention: What contact does, by the randomised pilot of the second half.
        segments: Of customers, sorted.
        n_pilot: Cases of the pilot whose horizon is over.
    """

    models: Models
    retention: RetentionModel
    segments: tuple[str, ...]
    n_pilot: int


def learn_from_history(world: ActingWorld, *, history_days: int, seed: int) -> Knowledge | str:
    """Learn from what the tables and the company's own book of interventions show; or why not.

    The churn model is made of the first half alone, so that its probabilities of the pilot's cases
    are foretold and not remembered.
    """
    tables, until = dict(world.tables(world.start)), world.start
    middle = until - timedelta(days=history_days // 2)
    record = RECIPES[ModelName.CHURN].learn(tables, known_until=middle, seed=seed)
    if isinstance(record, NotEnoughData):
        return f"churn model: {record.reason}"
    model = record.model
    if not isinstance(model, ChurnModel):
        return "churn model: of another kind"
    book = world.interventions(until)
    since, last = pd.Timestamp(middle), pd.Timestamp(until) - pd.Timedelta(days=HORIZON_DAYS)
    told = book["p_none"].notna() & book["decided_at"].between(since, last)
    segments = tuple(sorted(tables["customers"]["segment"].dropna().unique()))
    cases = _read_pilot(tables, book[told], model, segments=segments, known_until=until)
    retention = fit_retention(cases, levers=_LEVERS)
    if isinstance(retention, NotEnoughData):
        return f"pilot: {retention.reason}"
    return Knowledge(Models(churn=model), retention, segments, int(told.sum()))


def _read_pilot(
    tables: Tables,
    book: pd.DataFrame,
    model: ChurnModel,
    *,
    segments: Sequence[str],
    known_until: datetime,
) -> RetentionCases:
    spine = pd.DataFrame(
        {"customer_id": book["customer_id"], "as_of": book["decided_at"]}
    ).reset_index(drop=True)
    lost = churn_labels(tables, spine, known_until=known_until, horizon_days=HORIZON_DAYS)
    frame = build_features(tables, spine, features=CHURN_FEATURES)
    churn = frame[list(CHURN_FEATURES.names)].to_numpy(dtype=np.float64)
    profile = make_profile(tables["customers"]).set_index("customer_id")
    profile = profile.loc[spine["customer_id"]]
    consent = profile[[f"consent_{channel}" for channel in Channel]].to_numpy(dtype=bool)
    grounds = find_grounds(model, churn, factors=default_factors())
    factors = [[one for one, _ in grounds.strongest(row)] for row in range(len(spine))]
    p_churn = model.predict(churn)
    own = profile["segment"].tolist()
    customers = AtRisk(
        p_churn,
        describe_contact(
            p_churn, n_refused=(~consent).sum(axis=1).astype(float), own=own, segments=segments
        ),
        match_levers(factors),
    )
    position = {name: at for at, name in enumerate(_LEVERS)}
    lever = np.array([position.get(name, NO_LEVER) for name in book["lever"]], dtype=np.int64)
    return RetentionCases(customers, lever, lost.to_numpy(dtype=np.bool_))


def match_levers(factors: Sequence[Sequence[Factor]]) -> Floats:
    """How far each lever answers these reasons, strongest first, (n, levers)."""
    match = np.zeros((len(factors), len(_LEVERS)))
    for row, reasons in enumerate(factors):
        for rank, factor in enumerate(reasons):
            column = _LEVERS.index(ANSWERS[factor].value)
            weight = _FIRST_REASON if rank == 0 else _NEXT_REASON
            match[row, column] = max(match[row, column], weight)
    return match


def see_risk(tables: Tables, *, as_of: datetime, models: Models) -> Snapshot:
    """A snapshot of what cases read: profiles, features of the churn model, and its scores.

    Nobody is written to by the steps that are rehearsed, so that nothing is known of messages and
    of hours.
    """
    known = known_before({"customers": tables["customers"]}, pd.Timestamp(as_of))
    profile = make_profile(known["customers"])
    ids, n = profile["customer_id"], len(profile)
    frame = build_features(tables, make_spine(ids, as_of=as_of), features=CHURN_FEATURES)
    churn = frame[list(CHURN_FEATURES.names)].to_numpy(dtype=np.float64)
    p_churn = np.full(n, np.nan)
    if models.churn is not None:
        here = ids.isin(eligible_customers(tables, as_of=as_of)).to_numpy()
        p_churn[here] = models.churn.predict(churn[here])
    nothing = np.full((n, len(ENGAGEMENT_FEATURES.names)), np.nan)
    customers = Customers(profile, churn, nothing, np.zeros((n, _HOURS_OF_WEEK)), p_churn)
    return Snapshot("rehearsal", as_of, customers, (), models, new_bandit())


@dataclass(frozen=True)
class RetentionJudge:
    """Judges customers by what the pilot taught.

    Attributes:
        knowledge: From the history.
        seed: Of the draws.
    """

    knowledge: Knowledge
    seed: int

    def judge(self, customers: Sequence[Seen], snapshot: Snapshot) -> list[Judged]:
        """Group of each customer, and what each offer and step does; nothing of who is gone."""
        here = [one for one in customers if one.p_churn is not None]
        if not here:
            return [Judged(None)] * len(customers)
        p_churn = np.array([one.p_churn for one in here], dtype=np.float64)
        at_risk = AtRisk(
            p_churn,
            describe_contact(
                p_churn,
                n_refused=np.array([one.n_refused for one in here], dtype=np.float64),
                own=[one.segment for one in here],
                segments=self.knowledge.segments,
            ),
            match_levers(find_factors_of(here, snapshot)),
        )
        effects = self.knowledge.retention.effects(at_risk, rng=np.random.default_rng(self.seed))
        groups = effects.find_groups(default_borders())
        cautious = effects.value - CAUTION * effects.sd
        said = {
            one.customer_id: Judged(
                UpliftGroup(str(groups[row])),
                {name: float(cautious[row, _at(lever)]) for name, lever in _DONE.items()},
            )
            for row, one in enumerate(here)
        }
        return [said.get(one.customer_id, Judged(None)) for one in customers]


def _at(lever: Lever) -> int:
    return _LEVERS.index(lever.value)
