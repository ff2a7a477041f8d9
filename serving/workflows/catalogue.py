"""Which workflows there are: their steps, actions and conditions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from features.errors import ConfigurationError
from serving.store.flows import FlowRow
from serving.workflows.actions import Action, Condition
from serving.workflows.spec import WorkflowSpec, require_known

ContextT = TypeVar("ContextT")


@dataclass(frozen=True)
class Workflow(Generic[ContextT]):
    """A kind of workflow.

    Attributes:
        kind: `incident`, `case`: the first part of its workflows' identities.
        choose_spec: The steps for what a workflow was asked for with (its `given_json`); asked
            once, when it starts.
        actions: By the names that steps have for them.
        conditions: By theirs.
        make_context: What actions and conditions are given; made whenever the workflow wakes, and
            of the row alone.
    """

    kind: str
    choose_spec: Callable[[str], WorkflowSpec]
    actions: Mapping[str, Action[ContextT]]
    conditions: Mapping[str, Condition[ContextT]]
    make_context: Callable[[FlowRow], ContextT]

    def require_known(self, spec: WorkflowSpec) -> WorkflowSpec:
        """The steps; ConfigurationError names every action and condition that is not there."""
        return require_known(
            spec,
            actions=self.actions,
            conditions=self.conditions,
            undoable=[name for name, action in self.actions.items() if action.is_undoable],
        )


class Catalogue:
    """Workflows by their kind."""

    def __init__(self, workflows: Iterable[Workflow[Any]]) -> None:
        """Each kind once; ConfigurationError otherwise."""
        self._by_kind: dict[str, Workflow[Any]] = {}
        for workflow in workflows:
            if workflow.kind in self._by_kind:
                raise ConfigurationError(f"workflows: {workflow.kind} more than once")
            self._by_kind[workflow.kind] = workflow

    def find(self, kind: str) -> Workflow[Any] | None:
        """The workflow of that kind, or None."""
        return self._by_kind.get(kind)

    @property
    def kinds(self) -> list[str]:
        """Of all workflows, sorted."""
        return sorted(self._by_kind)
