"""What the interpreter itself writes: rows of the log, and notices to the owner."""

import shlex
import traceback
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from features.errors import OpportuneError
from serving.audit.entries import Cell, EntryKind
from serving.corridor.actions import ActionRequest
from serving.moments import show_moment
from serving.store.flows import FlowRow
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import StoreSession
from serving.workflows.parts import ActingParts

_WORTH_TELLING = timedelta(days=2)

_NEEDS_A_WORD = {
    "en": (
        "Waits for your yes: {what}",
        (
            "Waits for your yes until {until}: {what}. Without it, it is not done.\n"
            "Yes: opportune autopilot approve {action_id} --by NAME --role {role}\n"
            "No: opportune autopilot veto {action_id} --by NAME"
        ),
    ),
    "ru": (
        "Ждёт вашего согласия: {what}",
        (
            "Ждёт вашего согласия до {until}: {what}. Без него это не будет сделано.\n"
            "Да: opportune autopilot approve {action_id} --by NAME --role {role}\n"
            "Нет: opportune autopilot veto {action_id} --by NAME"
        ),
    ),
    "kk": (
        "Келісіміңізді күтеді: {what}",
        (
            "Келісіміңізді {until} дейін күтеді: {what}. Келісімсіз орындалмайды.\n"
            "Иә: opportune autopilot approve {action_id} --by NAME --role {role}\n"
            "Жоқ: opportune autopilot veto {action_id} --by NAME"
        ),
    ),
}
_LINK = {"en": "Console: {link}", "ru": "В консоли: {link}", "kk": "Консольде: {link}"}
_WENT_WRONG = {
    "en": (
        "{what}: please have a look",
        "{what}: {why}\nMore: opportune audit show --subject {workflow_id}",
    ),
    "ru": (
        "{what}: нужно внимание",
        "{what}: {why}\nПодробнее: opportune audit show --subject {workflow_id}",
    ),
    "kk": (
        "{what}: назар аударыңыз",
        "{what}: {why}\nТолығырақ: opportune audit show --subject {workflow_id}",
    ),
}


def describe_fault(fault: Exception) -> str:
    """A fault for the log: our own words, else only its type, as others' may hold secrets.

    >>> describe_fault(ValueError("token=1234"))
    'ValueError'
    """
    name = type(fault).__name__
    return f"{name}: {fault}"[:500] if isinstance(fault, OpportuneError) else name


def locate_fault(fault: Exception) -> str:
    """The same, with the line that raised it, for whoever mends it.

    >>> locate_fault(ValueError("token=1234"))
    'ValueError'
    """
    frames = traceback.extract_tb(fault.__traceback__)
    where = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    return f"{describe_fault(fault)}{where}"


def write_log(
    session: StoreSession,
    flow: FlowRow,
    words: str,
    *,
    at: datetime,
    kind: EntryKind = EntryKind.SYSTEM,
    **body: Cell,
) -> None:
    """A row of the log about a workflow."""
    session.audit.append(
        kind,
        flow.workflow_id,
        {"workflow": flow.kind, **body},
        by=f"workflow/{flow.kind}",
        at=at,
        words=words[:1_500],
    )


def ask_for_word(
    session: StoreSession,
    flow: FlowRow,
    request: ActionRequest,
    *,
    what: str,
    until: datetime,
    again: bool,
    parts: ActingParts,
    at: datetime,
) -> None:
    """Tell the owner that an action waits for a yes; once, and once more where nobody answers.

    Args:
        session: A transaction that writes.
        flow: Whose action it is.
        request: The action.
        what: The action in the owner's words.
        until: Then it is not done.
        again: Whether the owner has been told before.
        parts: Language, clock and console of the owner.
        at: Now.
    """
    values = {
        "what": what,
        "until": show_moment(until, zone=parts.zone),
        "action_id": shlex.quote(request.action_id),  # the name of a vendor may be in it
        "role": parts.desk().find_approver(request.kind),
    }
    _tell(
        session,
        flow,
        _NEEDS_A_WORD,
        values,
        key=f"{request.action_id}/{'asked-again' if again else 'asked'}",
        branch=request.branch,
        parts=parts,
        at=at,
        expires_at=max(until, at + timedelta(minutes=1)),
    )


def tell_failure(
    session: StoreSession,
    flow: FlowRow,
    what: str,
    *,
    key: str,
    why: str,
    parts: ActingParts,
    at: datetime,
    branch: str | None = None,
) -> bool:
    """Tell the owner what is wrong, once under a key; whether it is new."""
    return _tell(
        session,
        flow,
        _WENT_WRONG,
        {"what": what, "why": why},
        key=key,
        branch=branch,
        parts=parts,
        at=at,
        expires_at=at + _WORTH_TELLING,
    )


def find_page(kind: str, workflow_id: str, *, address: str) -> str:
    """The page of a workflow in the console: its kind in the plural, and its identity.

    >>> find_page("case", "case/c 1", address="https://example.com/console")
    'https://example.com/console/cases/c%201'
    """
    return f"{address.rstrip('/')}/{kind}s/{quote(workflow_id.removeprefix(f'{kind}/'))}"


def _tell(
    session: StoreSession,
    flow: FlowRow,
    texts: Mapping[str, tuple[str, str]],
    values: Mapping[str, str],
    *,
    key: str,
    branch: str | None,
    parts: ActingParts,
    at: datetime,
    expires_at: datetime,
) -> bool:
    language = parts.language if parts.language in texts else "en"
    subject, body = texts[language]
    subject = subject.format_map(values)
    body = body.format_map({**values, "workflow_id": shlex.quote(flow.workflow_id)})
    if parts.console_address:
        page = find_page(flow.kind, flow.workflow_id, address=parts.console_address)
        body += "\n" + _LINK[language].format(link=page)
    notice = Notice(
        key=key,
        to=Party(PartyKind.OWNER, branch or "default"),
        subject=(subject if branch is None else f"{branch}: {subject}")[:200],
        body=body,
        language=language,
        made_at=at,
        expires_at=expires_at,
        is_urgent=True,
        workflow_id=flow.workflow_id,
    )
    return session.notices.add(notice)
