"""The workflow of a case, for the process that acts."""

from serving.playbooks.context import CaseContext
from serving.playbooks.doing.messages import WriteToCustomer
from serving.playbooks.doing.offering import MakeOffer
from serving.playbooks.doing.people import AskTeam, CollectBrief, TellTeam
from serving.playbooks.doing.watching import CloseCase, LookAgain
from serving.playbooks.exits import CONDITIONS
from serving.playbooks.items import (
    CLOSE,
    WATCH,
    BriefItem,
    CheckItem,
    Item,
    MessageItem,
    NoticeItem,
    OfferItem,
    TaskItem,
)
from serving.playbooks.opening import Opener
from serving.playbooks.plans import KIND, CaseGiven, make_spec
from serving.store.flows import FlowRow
from serving.workflows.actions import Action
from serving.workflows.catalogue import Workflow
from serving.workflows.parts import ActingParts
from serving.workflows.spec import WorkflowSpec


def make_case_workflow(parts: ActingParts, *, opener: Opener) -> Workflow[CaseContext]:
    """The workflow of churn cases.

    Args:
        parts: What it acts with.
        opener: Playbooks, risk rules, judge and economics, as when cases are opened.
    """
    playbooks = opener.playbooks

    def choose_spec(given_json: str) -> WorkflowSpec:
        return make_spec(CaseGiven.model_validate_json(given_json), playbooks=playbooks)

    def make_context(flow: FlowRow) -> CaseContext:
        given = CaseGiven.model_validate_json(flow.given_json)
        return CaseContext(given.case_id, parts, opener)

    actions = {name: make_action(item) for name, item in playbooks.items.items()}
    return Workflow(
        kind=KIND,
        choose_spec=choose_spec,
        actions={**actions, WATCH: LookAgain(), CLOSE: CloseCase()},
        conditions=CONDITIONS,
        make_context=make_context,
    )


def make_action(item: Item) -> Action[CaseContext]:
    """What a step with that item does."""
    match item:
        case NoticeItem():
            return TellTeam(item)
        case BriefItem():
            return CollectBrief()
        case TaskItem():
            return AskTeam(item)
        case MessageItem():
            return WriteToCustomer()
        case OfferItem():
            return MakeOffer(item)
        case CheckItem():
            return LookAgain()
