"""Actions on the page: where each stands, until when, and who may say what about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from serving.console.access import Role
from serving.corridor.actions import ActionState, Silence
from serving.corridor.held import Held, Said, Word
from serving.corridor.settings import BrokenCorridor, Corridor
from serving.store.store import StoreSession

_ENDS: Mapping[ActionState, str] = {
    ActionState.CLAIMED: "It is being done.",
    ActionState.SETTLED: "It is done.",
    ActionState.RELEASED: "It was given up.",
    ActionState.VETOED: "A human said no.",
    ActionState.EXPIRED: "Nobody acted in time.",
}


@dataclass(frozen=True)
class Standing:
    """Where an action stands.

    Attributes:
        words: What comes next, or how it ended.
        until: What the countdown runs to; None where nothing is waited for.
        needs_yes: Whether nothing happens unless somebody says yes.
    """

    words: str
    until: datetime | None = None
    needs_yes: bool = False


@dataclass(frozen=True)
class ActionCard:
    """One action of an incident or a case.

    Attributes:
        held: As the books have it.
        said: What people said about it, the oldest first.
        standing: Where it stands, and what comes next.
        approvers: Roles whose yes counts; none where the corridor cannot be read.
        may_approve: Whether the yes of whoever looks would count.
        may_veto: Whether a no is still in time.
    """

    held: Held
    said: Sequence[Said]
    standing: Standing
    approvers: tuple[str, ...]
    may_approve: bool
    may_veto: bool

    @property
    def waits(self) -> bool:
        """Whether it can still go either way."""
        return self.standing.until is not None


def list_cards(
    session: StoreSession,
    actions: Sequence[Held],
    *,
    corridor: Corridor | BrokenCorridor,
    role: Role,
    now: datetime,
) -> list[ActionCard]:
    """Cards of actions, in their order, for a visitor of that role."""
    said = session.holds.find_all_words(held.request.action_id for held in actions)
    return [
        make_card(
            held,
            said=said.get(held.request.action_id, []),
            corridor=corridor,
            role=role,
            now=now,
        )
        for held in actions
    ]


def make_card(
    held: Held,
    *,
    said: Sequence[Said],
    corridor: Corridor | BrokenCorridor,
    role: Role,
    now: datetime,
) -> ActionCard:
    """The card of an action.

    Args:
        held: The action.
        said: What people said about it.
        corridor: Who may approve its kind.
        role: Of whoever looks.
        now: Aware.
    """
    approvers = _list_approvers(held, corridor=corridor)
    approved = [one for one in said if _counts(one, approvers=approvers, now=now)]
    is_open = held.state is ActionState.WAITING and now < held.expires_at
    decides = role in (Role.OPERATOR, Role.OWNER)
    return ActionCard(
        held=held,
        said=said,
        standing=_tell(held, approved=approved, approvers=approvers, now=now),
        approvers=approvers,
        may_approve=is_open and decides and role.value in approvers and not approved,
        may_veto=held.state is ActionState.WAITING and decides,
    )


def sort_cards(cards: Sequence[ActionCard]) -> list[ActionCard]:
    """Those that wait first, what is due soonest at their front; the others as they came."""
    waiting = [card for card in cards if card.waits]
    waiting.sort(key=lambda card: card.standing.until or card.held.expires_at)
    return [*waiting, *(card for card in cards if not card.waits)]


def _list_approvers(held: Held, *, corridor: Corridor | BrokenCorridor) -> tuple[str, ...]:
    if isinstance(corridor, BrokenCorridor):
        return ()
    kind = corridor.kinds.get(held.request.kind)
    return () if kind is None else kind.approvers


def _counts(said: Said, *, approvers: tuple[str, ...], now: datetime) -> bool:
    """Whether it is a yes that counts now."""
    is_yes = said.word is Word.APPROVE and said.role in approvers
    return is_yes and said.expires_at is not None and now < said.expires_at


def _tell(
    held: Held, *, approved: Sequence[Said], approvers: tuple[str, ...], now: datetime
) -> Standing:
    if held.state is not ActionState.WAITING:
        return Standing(_ENDS[held.state])
    if now >= held.expires_at:
        return Standing(_ENDS[ActionState.EXPIRED])
    whose = " or ".join(approvers) or "somebody, once the corridor can be read"
    if approved:
        return Standing(f"{approved[-1].by} said yes: it goes next.", approved[-1].expires_at)
    if held.needs_approval:
        words = f"It never goes without a yes of {whose}."
        return Standing(words, held.expires_at, needs_yes=True)
    if now < held.due_at:
        return _tell_window(held, whose=whose)
    if held.on_silence is Silence.GO:
        return Standing("Nobody said no: it goes next.", held.expires_at)
    return Standing(f"It waits for a yes of {whose}.", held.expires_at, needs_yes=True)


def _tell_window(held: Held, *, whose: str) -> Standing:
    """While a veto still counts: what silence will mean."""
    match held.on_silence:
        case Silence.GO:
            words = "It goes by itself when the time is up, unless somebody says no."
            return Standing(words, held.due_at)
        case Silence.ESCALATE:
            words = f"It needs a yes of {whose}; when the time is up, more people are told."
            return Standing(words, held.due_at, needs_yes=True)
        case Silence.DROP:
            words = f"It is dropped when the time is up, unless {whose} says yes."
            return Standing(words, held.due_at, needs_yes=True)
