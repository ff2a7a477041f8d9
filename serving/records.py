"""What is asked, what is answered, and what is kept: the decision record and its neighbours.

The record of a decision is also the HTTP answer. It holds everything that is needed to replay and
to judge it: the allowed actions with their probabilities, the propensity of the final one, the
scores, and the versions of whatever had a say.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from features.evidence import Scalar, find_evidence_faults
from features.time_zones import TimezoneName
from features.vocabulary import Arm, Channel, Outcome, Priority, Trigger
from serving.copy.content import Content


class Reason(StrEnum):
    """Why a decision came out as it did; all but the first two refuse before anything is scored."""

    CHOSEN = "chosen"  # a message was chosen
    NOTHING_CHOSEN = "nothing_chosen"  # *no message* was chosen over the allowed ones
    HOLDOUT = "holdout"
    UNKNOWN_CUSTOMER = "unknown_customer"
    NO_CONSENT = "no_consent"
    SUPPRESSED = "suppressed"
    FATIGUE_DAY = "fatigue_day"
    FATIGUE_WEEK = "fatigue_week"
    FATIGUE_UNOPENED = "fatigue_unopened"
    COOL_DOWN = "cool_down"
    EXPIRED = "expired"  # no moment is left before the occasion is over
    NO_MARKETING_CONSENT = "no_marketing_consent"
    UNREACHABLE = "unreachable"
    INCIDENT = "incident"
    QUIET_HOURS = "quiet_hours"
    BUDGET = "budget"


def _to_utc(moment: datetime) -> datetime:
    if moment.utcoffset():
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise ValueError("expected a time between the years 1 and 9999 in UTC") from None
    return moment.replace(tzinfo=UTC)  # the same moment, at a sixth of the time


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]


def _without_nul(name: str) -> str:
    if "\0" in name:  # databases cut names there
        raise ValueError("expected a name without the character NUL")
    return name


CustomerId = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_nul)]
Key = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_without_nul)]

_MOST_CENTS: Final = 10**15
"""No purchase is dearer, and floats hold every whole number up to here."""


class FrozenRecord(BaseModel):
    """A record that nobody changes, and that takes nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Profile(FrozenRecord):
    """What the caller knows of a customer that the tables do not hold yet.

    Used for unknown customers only. A consent that is not listed is no consent.

    Attributes:
        language: Of the texts.
        timezone: IANA name.
        first_name: For the greeting.
        consents: Channels they agreed to.
        marketing_consents: Of them, those they agreed to for marketing; null where that is not
            told apart.
        reachable: Channels they have an address on; null where that is not known.
    """

    language: str = "en"
    timezone: TimezoneName = "UTC"
    first_name: str | None = None
    consents: frozenset[Channel] = frozenset()
    marketing_consents: frozenset[Channel] | None = None
    reachable: frozenset[Channel] | None = None


class DecisionRequest(FrozenRecord):
    """One customer, one trigger, one moment.

    Attributes:
        customer_id: Whom it is about.
        trigger: Why they might be written to.
        evidence: Facts of the case, by the names in `features.evidence`; empty when not known.
        idempotency_key: Asking again with the same key gives the same record.
        decided_at: The moment; only where the service runs on the caller's clock (rehearsals).
        profile: For customers that the tables do not hold yet.
        began_at: When the problem or occasion began; its worth fades from then on.
        expires_at: Nothing is sent about it after this moment.
        amount_cents: Amount of the purchase in question, where it is about one.
    """

    customer_id: CustomerId
    trigger: Trigger
    evidence: dict[str, Scalar] = Field(default_factory=dict)
    idempotency_key: Key | None = None
    decided_at: UtcDatetime | None = None
    profile: Profile | None = None
    began_at: UtcDatetime | None = None
    expires_at: UtcDatetime | None = None
    amount_cents: int | None = Field(default=None, ge=0, le=_MOST_CENTS)

    @field_validator("evidence", mode="after")
    @classmethod
    def _fits_the_trigger(
        cls, evidence: dict[str, Scalar], info: ValidationInfo
    ) -> dict[str, Scalar]:
        trigger = info.data.get("trigger")  # absent when it was wrong itself
        if trigger is not None and (faults := find_evidence_faults(trigger, evidence)):
            raise ValueError("; ".join(faults))
        return evidence


class ValueTerms(FrozenRecord):
    """Expected incremental value of one action against no message, in cents.

    Attributes:
        outcome_cents: Margin of the conversions it causes.
        support_cents: Cost of the support calls it prevents.
        send_cents: What sending costs (subtracted).
        wearing_out_cents: What the risk of losing the channel costs (subtracted).
        kept_cents: Margin of the customers it keeps.
        annoyed_cents: Margin of the customers it drives away (subtracted).
        saturation_cents: Margin that the messages after it lose by it (subtracted).
    """

    outcome_cents: float
    support_cents: float
    send_cents: float
    wearing_out_cents: float
    kept_cents: float = 0.0
    annoyed_cents: float = 0.0
    saturation_cents: float = 0.0

    @property
    def net_cents(self) -> float:
        """The sum of the terms with their signs."""
        gained = self.outcome_cents + self.support_cents + self.kept_cents
        worn = self.wearing_out_cents + self.annoyed_cents + self.saturation_cents
        return gained - self.send_cents - worn


@dataclass(frozen=True, slots=True)
class AllowedAction:
    """One action that the guards allowed; no channels means *no message*.

    A record holds dozens of them, so they are plain dataclasses: a fifth of a model's cost.

    Attributes:
        channels: Channels of the action, together.
        send_at: When it would be sent; null for *no message*.
        probability: With which it was chosen, over the allowed set.
        value_cents: Expected incremental net value; null where the policy does not score.
    """

    channels: tuple[Channel, ...]
    send_at: UtcDatetime | None
    probability: float
    value_cents: float | None


class PlannedMessage(FrozenRecord):
    """One message of a decision: a channel, its words, its cost."""

    message_id: str
    channel: Channel
    variant: str
    content: Content
    cost_cents: float


class ModelVersions(FrozenRecord):
    """Which versions had a say; null where there is no such model yet."""

    churn: str | None = None
    channel: str | None = None
    send_time: str | None = None
    uplift: str | None = None
    bandit: int | None = None


class BanditContext(FrozenRecord):
    """What the variant was chosen by, beside trigger and channel.

    Attributes:
        language: Of the customer.
        segment: Of the customer; null where unknown.
        numbers: Of the customer at that moment, by the bandit's own list; null where unknown.
        layout: Digest of that list.
    """

    language: str
    segment: str | None = None
    numbers: tuple[float | None, ...] = ()
    layout: str = ""


class Decision(FrozenRecord):
    """The full record of one decision.

    Attributes:
        decision_id: Identity; the draw that chose the action is a stable hash of it.
        customer_id: Whom it is about.
        trigger: Why.
        decided_at: When.
        arm: By which rule this customer is decided for.
        send: Whether anything is sent.
        reason: Why, in one word of a closed set.
        channels: Where it is sent; empty when nothing is.
        send_at: When it is sent.
        variant: The words of the first channel; the others carry the same style.
        content: The filled text of the first channel.
        messages: Every message with its own identity, text and cost.
        propensity: Probability of the final action (channels, time and variant), given the arm.
        allowed: The allowed actions with their probabilities, variants not split.
        variants: Probability of each variant of the first channel.
        unsure_cents: Cents that the values in `allowed` are unsure by; null where not scored.
        rules_choice: Position in `allowed` of what the rules policy would do; null where unknown.
        prices: Cents for each unit of a budget's account, by its name, that were taken off the
            values when the choice was made; `value_cents` and `scores` are before that.
        lost_to: Decision whose message took the customer's place, where one did.
        scores: Terms of the final action's value; null where the policy does not score.
        priority: Of the trigger.
        cold_start: No model knows this customer: the rules policy answered.
        p_churn: Churn score at the time of the features; null when unknown.
        models: Versions that had a say.
        policy_version: Name and digest of the policy's settings.
        feature_hash: Digest of the feature declarations behind the scores.
        features_as_of: Moment of the features; null when the customer is unknown.
        idempotency_key: Key of the request, where it had one.
        experiment: Under which the arm was assigned; null in records of earlier versions.
        context: What the variant was chosen by; null where nothing is sent.
    """

    decision_id: str
    customer_id: str
    trigger: Trigger
    decided_at: UtcDatetime
    arm: Arm
    send: bool
    reason: Reason
    channels: tuple[Channel, ...] = ()
    send_at: UtcDatetime | None = None
    variant: str | None = None
    content: Content | None = None
    messages: tuple[PlannedMessage, ...] = ()
    propensity: float
    allowed: tuple[AllowedAction, ...] = ()
    variants: dict[str, float] = Field(default_factory=dict)
    unsure_cents: float | None = None
    rules_choice: int | None = None
    prices: dict[str, float] = Field(default_factory=dict)
    lost_to: str | None = None
    scores: ValueTerms | None = None
    priority: Priority
    cold_start: bool
    p_churn: float | None = None
    models: ModelVersions
    policy_version: str
    feature_hash: str
    features_as_of: UtcDatetime | None
    idempotency_key: str | None = None
    experiment: str | None = None
    context: BanditContext | None = None


class DecisionBatch(FrozenRecord):
    """Several requests at once; each is answered as if it had come alone, in order of priority."""

    requests: list[DecisionRequest] = Field(min_length=1, max_length=1000)


class DecisionAnswers(FrozenRecord):
    """One record per request, in the order of the requests."""

    decisions: list[Decision]


class OutcomeEvent(FrozenRecord):
    """Something that came of a message."""

    message_id: Key
    outcome: Outcome
    at: UtcDatetime
    value_cents: int | None = Field(default=None, ge=0, le=_MOST_CENTS)
    machine: bool = False

    @property
    def is_refusal(self) -> bool:
        """Whether it is a no; that counts at once, whatever moment it bears."""
        return self.outcome in _REFUSALS


_REFUSALS = frozenset({Outcome.UNSUBSCRIBED, Outcome.COMPLAINED})


class OutcomeReport(FrozenRecord):
    """Outcomes to be booked."""

    outcomes: list[OutcomeEvent] = Field(min_length=1, max_length=5000)


class OutcomeState(StrEnum):
    """What became of a reported outcome."""

    BOOKED = "booked"
    DUPLICATE = "duplicate"
    UNKNOWN_MESSAGE = "unknown_message"
    BEFORE_MESSAGE = "before_message"
    IN_THE_FUTURE = "in_the_future"


class OutcomeReceipt(FrozenRecord):
    """What became of each reported outcome, in order."""

    states: list[OutcomeState]
