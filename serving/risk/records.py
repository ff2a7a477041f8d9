"""What is asked about churn, and what is answered."""

from typing import Annotated

from pydantic import Field

from features.churn.risk import TierSource
from features.vocabulary import Factor, Tier
from serving.records import CustomerId, FrozenRecord, UtcDatetime


class ChurnQuestion(FrozenRecord):
    """Whose churn risk is asked for, and in which language the reasons are told."""

    customer_id: CustomerId
    language: Annotated[str, Field(min_length=2, max_length=35)] = "en"


class ChurnEvidence(FrozenRecord):
    """One feature behind a reason.

    Attributes:
        feature: Its name.
        value: Its value; null is the feature's own null.
        usual: What the median customer has; null where nobody's is known.
        unit: Of the values.
        contribution: What it adds to the log-odds, over what it adds to the others'.
        description: What it means.
    """

    feature: str
    value: float | None
    usual: float | None
    unit: str
    contribution: float
    description: str


class ChurnReason(FrozenRecord):
    """One factor that makes a customer riskier than others, as the model sees it.

    Attributes:
        factor: The playbook's name of it.
        share: Of everything that speaks for leaving.
        words: In the language that was asked for, with the numbers seen.
        evidence: The features behind it, strongest first.
    """

    factor: Factor
    share: float
    words: str
    evidence: tuple[ChurnEvidence, ...]


class FiredRule(FrozenRecord):
    """A rule of the risk score that fired."""

    name: str
    factor: float
    words: str


class ChurnSignal(FrozenRecord):
    """A signal that a person would notice, whatever the model thinks of it."""

    name: str
    factor: Factor
    words: str
    feature: str
    value: float


class Playbook(FrozenRecord):
    """What is done about a risk tier."""

    intervention: str
    timeline: str
    tactics: tuple[str, ...]


class ChurnAnswer(FrozenRecord):
    """Churn risk of one customer; without a model or the customer, only `reason` says why not.

    Attributes:
        customer_id: Whose risk.
        known: Whether there is such a customer.
        reason: Why there is no number; null where there is one.
        p_churn: Calibrated probability of being lost within 30 days.
        p_by_days: The same by horizon in days, as far as the model's history allowed; it never
            falls with the horizon.
        risk_score: The same after the playbook's rules.
        rules: The rules that fired.
        tier: From the score that `tier_from` names.
        tier_from: The score that decides the tier.
        language: Of all words in the answer; another than was asked for where we do not speak it.
        reasons: At most three, most important first; none for who is no riskier than others.
        signals: What a person would notice.
        playbook: What is done about the tier.
        model_version: Version of the model.
        features_as_of: Moment of the features.
    """

    customer_id: str
    known: bool
    reason: str | None = None
    p_churn: float | None = None
    p_by_days: dict[int, float] = Field(default_factory=dict)
    risk_score: float | None = None
    rules: tuple[FiredRule, ...] = ()
    tier: Tier | None = None
    tier_from: TierSource | None = None
    language: str | None = None
    reasons: tuple[ChurnReason, ...] = ()
    signals: tuple[ChurnSignal, ...] = ()
    playbook: Playbook | None = None
    model_version: str | None = None
    features_as_of: UtcDatetime | None = None
