"""What somebody wants to do, and what the corridor answers."""

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum


class Silence(StrEnum):
    """What happens when the veto window ends and nobody has said a word."""

    GO = "go"  # cheap and reversible kinds only
    ESCALATE = "escalate"  # wait on, and tell more people
    DROP = "drop"  # never mind


class Rule(StrEnum):
    """Rules that say no, by the names that answers and the log carry."""

    POLICY = "policy"  # the corridor is missing, unreadable or wrong
    STOPPED = "stopped"  # a kill switch, or one that cannot be read
    CLOCK = "clock"  # the clock went back
    REQUEST = "request"  # a name is missing or cannot be one
    KIND = "kind"  # the corridor does not know the kind
    CURRENCY = "currency"
    AMOUNT = "amount"  # no whole number of cents, below 0, or more than one action may cost
    BOOKS = "books"  # an account has no room
    KEY = "key"  # the identity was used for another request
    BROKEN = "broken"  # a rule, the books or the log failed
    UNKNOWN = "unknown"  # nobody proposed that action
    ROLE = "role"  # whoever said it may not
    APPROVAL = "approval"  # it needs one that still counts
    WINDOW = "window"  # the veto window is still open
    VETOED = "vetoed"
    EXPIRED = "expired"
    STATE = "state"  # it is too late, or too early, for that
    ACTOR = "actor"  # another actor holds it


class ActionState(StrEnum):
    """Where an action stands."""

    WAITING = "waiting"  # money is held; nobody acts yet
    CLAIMED = "claimed"  # one actor has it
    SETTLED = "settled"  # done; what it cost is spent
    RELEASED = "released"  # not done; the money is free again
    VETOED = "vetoed"  # likewise
    EXPIRED = "expired"  # likewise


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """Something that is to be done once, for at most an amount.

    Fields are not checked here: whatever they hold, the corridor answers with a value.

    Attributes:
        action_id: Identity, and the key by which it is done once.
        kind: Of the corridor's kinds.
        subject: What it is part of: `incident/i7`, `case/c3`.
        amount_cents: What it may cost at most, in hundredths of the currency; 0 where it is free.
        currency: ISO code.
        is_reversible: Whether whoever asks can take it back; a kind may still say that it cannot.
        vendor: Who is paid or asked, if anybody.
        customer: Whom it is about, where it is one.
        branch: Where it is, for the branch's own kill switch.
    """

    action_id: str
    kind: str
    subject: str
    amount_cents: int
    currency: str
    is_reversible: bool
    vendor: str | None = None
    customer: str | None = None
    branch: str | None = None

    @property
    def digest(self) -> str:
        """Tells requests apart that carry one identity."""
        content = json.dumps(asdict(self), sort_keys=True, default=repr)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Go:
    """Money is held; `claim` it and act."""

    action_id: str


@dataclass(frozen=True, slots=True)
class NeedsApproval:
    """Money is held until then; it waits for one of these roles to say yes."""

    action_id: str
    roles: tuple[str, ...]
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Wait:
    """Money is held; a veto counts until then, and silence means what is said."""

    action_id: str
    until: datetime
    on_silence: Silence


@dataclass(frozen=True, slots=True)
class Denied:
    """No: what was asked for did not happen.

    The log holds the rule and the reason, but for an action that nobody proposed.
    """

    rule: Rule
    why: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was asked for holds now, or held already (`is_again`)."""

    state: ActionState
    is_again: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    """The action belongs to this actor, and to no other, whatever happens.

    Attributes:
        request: What to do.
        is_again: The same actor had claimed it before, as after a crash: it may have been done.
    """

    request: ActionRequest
    is_again: bool


Answer = Go | NeedsApproval | Wait | Denied
