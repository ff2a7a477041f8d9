"""Who is told what about an incident: each customer once per stage, and what became of it.

Whom an action writes to is kept with its plan, and what it asks the engine before it asks: so it is
the same after a crash, whoever has complained or confirmed something since.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, Select, bindparam, select, update

from serving.records import DecisionRequest
from serving.store.amends_schema import incident_letters
from serving.store.engine import insert_into

_c = incident_letters.c
_ORDER = (_c.customer_id, _c.stage)
_OF_SUBJECT = select(incident_letters).where(_c.subject == bindparam("subject")).order_by(*_ORDER)
_OF_ACTION = (
    select(incident_letters).where(_c.action_id == bindparam("action_id")).order_by(*_ORDER)
)
_IS_ONE = (
    _c.subject == bindparam("of_subject"),
    _c.stage == bindparam("of_stage"),
    _c.customer_id == bindparam("of_customer"),
)
_SET_REQUEST = (
    update(incident_letters)
    .where(*_IS_ONE, _c.request.is_(None))
    .values(request=bindparam("to_request"))
)
_SET_DECISION = (
    update(incident_letters)
    .where(*_IS_ONE)
    .values(decision_id=bindparam("to_decision"), reason=bindparam("to_reason"))
)


@dataclass(frozen=True, slots=True)
class Letter:
    """Somebody who is told something.

    Attributes:
        subject: The incident's workflow.
        stage: Of what is said: `checking`, `over`, `credit`, `cause/` and when it was confirmed;
            of those for whom advertising rests, who read nothing by that, `pause`.
        action_id: The action that writes.
        request: What the engine is asked; None until the action is taken.
        decision_id: Its answer; None until there is one.
        reason: Of that decision, `sent` where something is sent; None until there is one.
    """

    subject: str
    stage: str
    customer_id: str
    action_id: str
    request: DecisionRequest | None = None
    decision_id: str | None = None
    reason: str | None = None


class LetterBook:
    """The part of a transaction that is about letters."""

    def __init__(self, connection: Connection) -> None:
        """Work on an open transaction."""
        self._connection = connection

    def add(self, letters: Iterable[Letter]) -> None:
        """Keep whom an action writes to; nobody is told the same by two actions."""
        rows = [
            {
                "subject": one.subject,
                "stage": one.stage,
                "customer_id": one.customer_id,
                "action_id": one.action_id,
            }
            for one in letters
        ]
        if rows:
            add = insert_into(self._connection.dialect.name, incident_letters)
            self._connection.execute(add.on_conflict_do_nothing(), rows)

    def find_of(self, subject: str) -> list[Letter]:
        """Letters about an incident, by customer."""
        return self._read(_OF_SUBJECT, subject=subject)

    def find_by(self, action_id: str) -> list[Letter]:
        """Letters that an action writes, by customer."""
        return self._read(_OF_ACTION, action_id=action_id)

    def set_requests(self, asked: Sequence[tuple[Letter, DecisionRequest]]) -> None:
        """What the engine is asked about each; a request that is kept already stays."""
        for letter, request in asked:
            row = {**_name(letter), "to_request": request.model_dump_json()}
            self._connection.execute(_SET_REQUEST, row)

    def set_decision(self, letter: Letter, *, decision_id: str, reason: str) -> None:
        """What the engine answered."""
        row = {**_name(letter), "to_decision": decision_id, "to_reason": reason}
        self._connection.execute(_SET_DECISION, row)

    def _read(self, wanted: Select[*tuple[object, ...]], **given: str) -> list[Letter]:
        found = self._connection.execute(wanted, given).mappings()
        return [_read_letter(row) for row in found]


def _name(letter: Letter) -> dict[str, str]:
    return {
        "of_subject": letter.subject,
        "of_stage": letter.stage,
        "of_customer": letter.customer_id,
    }


def _read_letter(cells: RowMapping) -> Letter:
    asked = cells["request"]
    return Letter(
        subject=cells["subject"],
        stage=cells["stage"],
        customer_id=cells["customer_id"],
        action_id=cells["action_id"],
        request=None if asked is None else DecisionRequest.model_validate_json(asked),
        decision_id=cells["decision_id"],
        reason=cells["reason"],
    )
