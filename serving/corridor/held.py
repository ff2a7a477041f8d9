"""Actions as the store keeps them, and the words that humans said about them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from serving.corridor.actions import ActionRequest, ActionState, Silence


class Word(StrEnum):
    """What a human says about an action."""

    APPROVE = "approve"
    VETO = "veto"


@dataclass(frozen=True, slots=True)
class Held:
    """An action, its hold and where it stands.

    Attributes:
        digest: Of the request.
        needs_approval: It never goes without.
        on_silence: What silence means once it is due.
        made_at: When it was proposed.
        due_at: End of the veto window.
        expires_at: From then on nobody may claim it.
        actor: Who claimed it.
        settled_cents: What it cost; None until it is settled.
    """

    request: ActionRequest
    digest: str
    state: ActionState
    needs_approval: bool
    on_silence: Silence
    made_at: datetime
    due_at: datetime
    expires_at: datetime
    actor: str | None = None
    settled_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A word about an action.

    Attributes:
        expires_at: An approval counts before then; None for a veto, which counts for ever.
    """

    word: Word
    by: str
    role: str
    at: datetime
    expires_at: datetime | None = None
