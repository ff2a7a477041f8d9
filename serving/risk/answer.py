"""Churn risk of one customer: scores, tier, reasons in words, and what to do about it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from pydantic import TypeAdapter

from features.churn import CHURN_FEATURES
from features.churn.factors import default_factors
from features.churn.risk import Risk, RiskRules
from features.churn.signals import default_signals
from features.vocabulary import Factor, Tier
from serving.copy.settings import CopySettings
from serving.online.live import LiveCustomer
from serving.policy.cases import Floats, from_us
from serving.risk.reasons import find_features, find_grounds
from serving.risk.records import (
    ChurnAnswer,
    ChurnEvidence,
    ChurnQuestion,
    ChurnReason,
    ChurnSignal,
    FiredRule,
    Playbook,
)
from serving.risk.words import Wording, choose_wording
from serving.snapshot.state import Snapshot
from training.registry.servable import ChurnModel

_N_FEATURES = 2
"""Features that the words of a reason name."""

_PLAYBOOKS = Path(__file__).with_name("playbooks.yaml")
_DECLARED = {feature.name: feature for feature in CHURN_FEATURES.features}


@cache
def load_playbooks() -> dict[Tier, Playbook]:
    """The playbook of each tier.

    >>> load_playbooks()[Tier.HIGH].intervention
    'csm_intensive'
    """
    data = yaml.safe_load(_PLAYBOOKS.read_text(encoding="utf-8"))
    return TypeAdapter(dict[Tier, Playbook]).validate_python(data)


@dataclass(frozen=True)
class RiskDesk:
    """Answers whose churn risk is asked for.

    Attributes:
        rules: How a probability becomes a risk score and a tier.
        copy_settings: Currency of amounts, and which language stands in for another.
    """

    rules: RiskRules
    copy_settings: CopySettings

    def explain(
        self, question: ChurnQuestion, snapshot: Snapshot, *, live: LiveCustomer | None = None
    ) -> ChurnAnswer:
        """The customer's churn risk; says so when it cannot be known.

        Args:
            question: Whose risk, and in which language.
            snapshot: What the server knows.
            live: What the customer's state says; without one the snapshot is asked.
        """
        customer_id, model = question.customer_id, snapshot.models.churn
        row = snapshot.customers.row_of.get(customer_id)
        if row is None and live is None:
            return ChurnAnswer(customer_id=customer_id, known=False, reason="unknown_customer")
        if model is None:
            return ChurnAnswer(customer_id=customer_id, known=True, reason="no_churn_model")
        if live is not None:
            p_churn, features, as_of = live.p_churn, live.churn, from_us(live.as_of_us)
        else:
            customers = snapshot.customers
            p_churn, features = float(customers.p_churn[row]), customers.churn[row]
            as_of = snapshot.as_of
        risk = self.rules.assess(
            np.array([p_churn]), features=features[None, :], names=CHURN_FEATURES.names
        )
        tier = risk.tiers[0]
        if tier is None:
            return ChurnAnswer(customer_id=customer_id, known=True, reason="already_gone")
        wording = choose_wording(question.language, settings=self.copy_settings)
        return ChurnAnswer(
            customer_id=customer_id,
            known=True,
            p_churn=p_churn,
            p_by_days={
                days: float(model.predict_at(features[None, :], horizon_days=days)[0])
                for days in model.horizons_days
            },
            risk_score=float(risk.risk_score[0]),
            rules=_list_rules(self.rules, risk, wording=wording),
            tier=tier,
            tier_from=risk.tier_from,
            language=wording.language.code,
            reasons=find_reasons(model, features, wording=wording),
            signals=find_signals(features, wording=wording),
            playbook=load_playbooks()[tier],
            model_version=model.version,
            features_as_of=as_of,
        )


def find_reasons(
    model: ChurnModel, features: Floats, *, wording: Wording
) -> tuple[ChurnReason, ...]:
    """Why the model thinks one customer, (features,), is riskier than others; at most three."""
    grounds = find_grounds(model, features[None, :], factors=default_factors())
    return tuple(
        _make_reason(
            factor,
            share,
            evidence=_list_evidence(factor, model, features, excess=grounds.excess[0]),
            wording=wording,
        )
        for factor, share in grounds.strongest(0)
    )


def find_signals(features: Floats, *, wording: Wording) -> tuple[ChurnSignal, ...]:
    """The signals that one customer, (features,), shows."""
    names = CHURN_FEATURES.names
    return tuple(
        ChurnSignal(
            name=signal.name,
            factor=signal.factor,
            words=wording.write_signal(signal.name),
            feature=signal.feature,
            value=float(features[names.index(signal.feature)]),
        )
        for signal in default_signals()
        if signal.holds(features[None, :], names=names)[0]
    )


def _make_reason(
    factor: Factor, share: float, *, evidence: tuple[ChurnEvidence, ...], wording: Wording
) -> ChurnReason:
    details = [
        wording.write_feature(
            one.feature,
            np.nan if one.value is None else one.value,
            usual=np.nan if one.usual is None else one.usual,
        )
        for one in evidence
    ]
    return ChurnReason(
        factor=factor, share=share, words=wording.write_factor(factor, details), evidence=evidence
    )


def _list_evidence(
    factor: Factor, model: ChurnModel, features: Floats, *, excess: Floats
) -> tuple[ChurnEvidence, ...]:
    names = model.signature.names
    found = find_features(factor, excess, names=names, factors=default_factors(), most=_N_FEATURES)
    return tuple(
        ChurnEvidence(
            feature=names[n],
            value=_to_null(features[n]),
            usual=model.reference.medians[n],
            unit=_DECLARED[names[n]].unit,
            contribution=float(excess[n]),
            description=_DECLARED[names[n]].description,
        )
        for n in found
    )


def _list_rules(rules: RiskRules, risk: Risk, *, wording: Wording) -> tuple[FiredRule, ...]:
    return tuple(
        FiredRule(name=rule.name, factor=rule.factor, words=wording.write_rule(rule.name))
        for rule, fired in zip(rules.rules, risk.fired[0].tolist(), strict=True)
        if fired
    )


def _to_null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
