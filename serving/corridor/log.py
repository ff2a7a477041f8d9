"""What the desk writes to the log."""

from dataclasses import dataclass
from datetime import datetime

from serving.audit.entries import Cell, EntryKind
from serving.corridor.actions import (
    ActionRequest,
    Answer,
    Denied,
    Go,
    NeedsApproval,
    Silence,
    Wait,
)
from serving.corridor.held import Held
from serving.masking import mask_personal_data
from serving.moments import show_moment
from serving.store.store import StoreSession

_ON_SILENCE = {
    Silence.GO: "silence lets it go",
    Silence.ESCALATE: "silence does not let it go",
    Silence.DROP: "silence drops it",
}
_MOST_SHOWN = 200
_MOST_QUOTED = 10_000  # to bound the masking's work; the log keeps less


@dataclass(frozen=True)
class DeskLog:
    """Entries of one call: by whom, and when."""

    session: StoreSession
    by: str
    at: datetime

    def refuse(self, request: ActionRequest, denied: Denied) -> Denied:
        """Write that something was refused, and by which rule; that answer."""
        words = f"refused {_name(request)} by rule {denied.rule}: {denied.why}"
        self._write(EntryKind.DECISION, request, words, rule=denied.rule.value)
        return denied

    def tell_answer(self, request: ActionRequest, answer: Answer, *, zone: str) -> None:
        """Write what was answered to a request that was not refused, on the clock of a zone."""
        cost = f"{request.amount_cents / 100:,.2f} {request.currency}"
        words = f"holds {cost} for {_name(request)}; {_say(answer, zone=zone)}"
        self._write(EntryKind.DECISION, request, words, answer=type(answer).__name__)

    def tell(
        self, kind: EntryKind, held: Held, words: str, *, quote: str = "", **more: Cell
    ) -> None:
        """Write what became of an action."""
        self._write(kind, held.request, f"{_name(held.request)}: {words}", quote=quote, **more)

    def _write(
        self,
        kind: EntryKind,
        request: ActionRequest,
        words: str,
        *,
        quote: str = "",
        **more: Cell,
    ) -> None:
        body = {
            "action": _clip(request.action_id),
            "kind": _clip(request.kind),
            "amount_cents": _clip(request.amount_cents),
            "currency": _clip(request.currency),
            "vendor": _clip(request.vendor),
            "customer": _clip(request.customer),
            "branch": _clip(request.branch),
            **more,
        }
        self.session.audit.append(
            kind,
            str(_clip(request.subject)).strip() or "unknown",
            body,
            by=name_of(self.by),
            at=self.at,
            words=_print(words[:1_000]),
            # Masked first: a line break within a number is still a number's.
            quote=_print(mask_personal_data(quote[:_MOST_QUOTED])),
        )


def name_of(by: str) -> str:
    """A name that the books take, so that no veto fails over how somebody is called.

    >>> name_of("Dana"), name_of(" "), name_of("two" + chr(10) + "lines")
    ('Dana', 'unknown', 'two?lines')
    """
    return _print(by)[:_MOST_SHOWN].strip() or "unknown"


def _say(answer: Answer, *, zone: str) -> str:
    match answer:
        case Go():
            return "it may go at once"
        case NeedsApproval(roles=roles, expires_at=until):
            return f"{' or '.join(roles)} must approve it by {show_moment(until, zone=zone)}"
        case Wait(until=until, on_silence=silence):
            return f"a veto counts until {show_moment(until, zone=zone)}, {_ON_SILENCE[silence]}"
        case Denied(rule=rule):
            return f"refused by rule {rule}"


def _name(request: ActionRequest) -> str:
    named = (
        ("vendor", request.vendor),
        ("customer", request.customer),
        ("branch", request.branch),
    )
    about = ", ".join(f"{what} {_clip(name)}" for what, name in named if name is not None)
    return f"{_clip(request.kind)}" + (f" ({about})" if about else "")


def _clip(value: object) -> Cell:
    """A cell that the log takes, whatever a request holds."""
    if value is None or (type(value) is int and abs(value) < 2**63):
        return value
    return _print(value if isinstance(value, str) else repr(value))[:_MOST_SHOWN]


def _print(text: str) -> str:
    """A text without characters that no database or page should get."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)
