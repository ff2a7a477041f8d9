"""What the steps of a case work with."""

from dataclasses import dataclass
from datetime import datetime

from features.errors import NotReadyError
from serving.corridor.settings import Corridor
from serving.playbooks.opening import Opener
from serving.playbooks.seen import Seen, see_now
from serving.policy.cases import to_us
from serving.store.cases import CaseRow
from serving.store.store import StoreSession
from serving.workflows.parts import ActingParts


@dataclass(frozen=True)
class Look:
    """A look at the customer of a case.

    Attributes:
        seen: What is known of them; None: nobody knows them.
        is_news: Whether that holds facts of the time since the case was opened: what is older
            cannot tell whether they recovered.
    """

    seen: Seen | None
    is_news: bool


@dataclass(frozen=True)
class CaseContext:
    """A case, and what there is to act with.

    Attributes:
        case_id: Which case.
        parts: Store, engine, corridor.
        opener: Playbooks, risk rules, judge and economics, as when cases are opened.
    """

    case_id: str
    parts: ActingParts
    opener: Opener

    @property
    def flow_id(self) -> str:
        """Of the workflow, and the subject in the log."""
        return f"case/{self.case_id}"

    @property
    def currency(self) -> str:
        """Of the company's amounts."""
        return self.parts.engine().copy_settings.currency

    @property
    def free_currency(self) -> str:
        """Of what costs nothing: the corridor's.

        That the company counts in another one is no reason why a task should not be made.
        """
        corridor = self.parts.desk().corridor
        return corridor.currency if isinstance(corridor, Corridor) else self.currency

    def find_case(self, session: StoreSession) -> CaseRow:
        """The case; NotReadyError where its row is not there."""
        case = session.cases.find(self.case_id)
        if case is None:
            raise NotReadyError(f"case {self.case_id}: the store holds none of that identity")
        return case

    def look(self, session: StoreSession, case: CaseRow, *, now: datetime) -> Look | None:
        """What is known of the customer now; None where there is no churn model to tell."""
        snapshot = self.parts.engine().snapshot
        if snapshot.models.churn is None:
            return None
        rules = self.opener.rules
        seen = see_now(session.online, snapshot, case.customer_id, now_us=to_us(now), rules=rules)
        told_us = snapshot.as_of_us if seen is None else seen.told_us
        return Look(seen, told_us >= to_us(case.opened_at))
