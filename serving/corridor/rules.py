"""What the corridor says of a request by itself, before the books are asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from serving.corridor.actions import ActionRequest, Denied, Rule
from serving.corridor.settings import Allowance, Corridor, is_cents

_MOST_NAME = 200

Check = Callable[[ActionRequest, Corridor], str | None]
"""Why not; None where nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Take:
    """What an action takes of one account: its amount, and one action.

    Attributes:
        account: Its name.
        cents: The amount.
        limit: What the account bears in all.
    """

    account: str
    cents: int
    limit: Allowance


def find_name_fault(request: ActionRequest) -> Denied | None:
    """Names must be there, and be names; asked before anything reads them."""
    required = {"action_id": request.action_id, "kind": request.kind, "subject": request.subject}
    optional = {"vendor": request.vendor, "customer": request.customer, "branch": request.branch}
    given = {name: value for name, value in optional.items() if value is not None}
    wrong = [name for name, value in (required | given).items() if not _is_name(value)]
    if wrong:
        why = f"{', '.join(wrong)}: expected a name of 1 to {_MOST_NAME} printable characters"
        return Denied(Rule.REQUEST, why)
    is_reversible: object = request.is_reversible
    if not isinstance(is_reversible, bool):
        return Denied(Rule.REQUEST, "is_reversible: expected true or false")
    return None


def check_kind(request: ActionRequest, corridor: Corridor) -> str | None:
    """The corridor must know the kind, and whom it is about where that is counted."""
    rule = corridor.kinds.get(request.kind)
    if rule is None:
        return f"{request.kind!r}: expected one of {', '.join(sorted(corridor.kinds))}"
    if rule.once_per_customer and request.customer is None:
        return f"{request.kind} is done once per customer, and the request names none"
    return None


def check_currency(request: ActionRequest, corridor: Corridor) -> str | None:
    """Amounts of another currency cannot be compared."""
    if request.currency != corridor.currency:
        return f"{request.currency!r}: expected {corridor.currency}"
    return None


def check_amount(request: ActionRequest, corridor: Corridor) -> str | None:
    """An amount is a whole number of cents, and one action has a limit."""
    amount: object = request.amount_cents
    if not is_cents(amount):
        return f"{amount!r}: expected a whole number of cents from 0"
    most = corridor.kinds[request.kind].max_cents
    if request.amount_cents > most:
        return f"{request.amount_cents} cents: one {request.kind} may cost {most} at most"
    return None


CHECKS: Mapping[Rule, Check] = {
    Rule.KIND: check_kind,
    Rule.CURRENCY: check_currency,
    Rule.AMOUNT: check_amount,
}


def judge(
    request: ActionRequest, *, corridor: Corridor, checks: Mapping[Rule, Check] = CHECKS
) -> Denied | None:
    """The first rule that says no; a rule that fails says no, too. None: all are content."""
    for rule, check in checks.items():
        try:
            why = check(request, corridor)
        except Exception as fault:  # noqa: BLE001  # whatever it was, the answer is no
            return Denied(Rule.BROKEN, f"rule {rule}: {type(fault).__name__}: {fault}")
        if why is not None:
            return Denied(rule, why)
    return None


def list_takes(request: ActionRequest, *, corridor: Corridor, now: datetime) -> tuple[Take, ...]:
    """Every account that a request takes from, by the corridor's own days and months."""
    rule = corridor.kinds[request.kind]
    local = now.astimezone(ZoneInfo(corridor.zone))
    day, month = f"{local:%Y-%m-%d}", f"{local:%Y-%m}"
    kind, subject = quote(request.kind, safe=""), quote(request.subject, safe="")
    limits = {
        f"total/{quote(corridor.name, safe='')}": corridor.total,
        f"day/{day}": corridor.per_day,
        f"kind/{kind}/{day}": rule.per_day,
        f"subject/{subject}": corridor.per_subject,
    }
    if request.vendor is not None:
        limits[f"vendor/{quote(request.vendor, safe='')}/{month}"] = corridor.per_vendor
    if rule.once_per_customer and request.customer is not None:
        once = f"once/{kind}/{subject}/{quote(request.customer, safe='')}"
        limits[once] = Allowance(cents=rule.max_cents, actions=1)
    return tuple(Take(name, request.amount_cents, limit) for name, limit in limits.items())


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MOST_NAME and value.isprintable()
