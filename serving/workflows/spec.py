"""A workflow as data: steps, delays, conditions and exits, in YAML with a schema."""

from collections.abc import Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from features.errors import ConfigurationError
from serving.policy.settings import read_settings_file

Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$")]
Topic = Annotated[str, Field(min_length=1, max_length=200)]
Minutes = Annotated[float, Field(ge=0, le=60 * 24 * 400, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=60 * 24 * 400, allow_inf_nan=False)]


class After(StrEnum):
    """What the delay of a step is counted from."""

    STEP = "step"  # the end of the step before
    START = "start"  # of the workflow


class OnDenied(StrEnum):
    """What follows when the corridor says no; a kill switch is waited for in any case."""

    SKIP = "skip"  # go on without it
    ESCALATE = "escalate"  # tell the owner, and ask again until the deadline
    END = "end"  # the workflow


class OnFailed(StrEnum):
    """What follows when a step failed."""

    SKIP = "skip"
    END = "end"


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Repeat(_Data):
    """A step that is done several times.

    Attributes:
        every_minutes: From the end of one to the next.
        times: How often in all.
    """

    every_minutes: Positive
    times: int = Field(ge=2, le=1_000, strict=True)


class Step(_Data):
    """One thing to do.

    Attributes:
        name: Its own, once in a workflow.
        do: Name of the action.
        after_minutes: When it begins, counted from what `after` says; at once where that is past.
        when: Name of a condition; where that does not hold when it begins, it is skipped.
        deadline_minutes: How long after its beginning what is not done is given up.
        undo: Name of the action whose `undo` takes it back.
        no_undo: Why nothing can.
        undo_on_exit: Whether it is taken back when the workflow ends early.
        undo_at_end: Whether it is taken back when the workflow ends, however it ends.
        on_denied: What follows a no of the corridor.
        on_failed: What follows a failure.
        repeat: How often; None: once.
    """

    name: Name
    do: Name
    after_minutes: Minutes = 0
    after: After = After.STEP
    when: Name | None = None
    deadline_minutes: Positive
    undo: Name | None = None
    no_undo: str | None = Field(default=None, min_length=1, max_length=300)
    undo_on_exit: bool = Field(default=False, strict=True)
    undo_at_end: bool = Field(default=False, strict=True)
    on_denied: OnDenied = OnDenied.SKIP
    on_failed: OnFailed = OnFailed.SKIP
    repeat: Repeat | None = None

    @model_validator(mode="after")
    def _undo_is_told(self) -> Self:
        if (self.undo is None) == (self.no_undo is None):
            raise ValueError(f"step {self.name}: expected one of undo and no_undo")
        if self.undo is None and (self.undo_on_exit or self.undo_at_end):
            raise ValueError(f"step {self.name}: undo_on_exit and undo_at_end need undo")
        return self


class WorkflowSpec(_Data):
    """The steps of a workflow.

    Attributes:
        name: Of the workflow.
        version: Of its steps; a workflow that runs keeps those it was started with.
        steps: In their order.
        exits: Names of conditions looked at before every step and whenever it wakes; where one
            holds, what waits is released, and `closing` is all that follows.
        closing: Steps that are taken however the workflow ends.
        wakes: Topics of signals at which the exits are looked at.
        look_every_minutes: The exits are looked at that often at least, also when nobody says
            anything; None: when it wakes.
    """

    name: Name
    version: int = Field(ge=1, strict=True)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=200)
    exits: tuple[Name, ...] = ()
    closing: tuple[Step, ...] = ()
    wakes: tuple[Topic, ...] = ()
    look_every_minutes: Positive | None = None

    @model_validator(mode="after")
    def _names_are_its_own(self) -> Self:
        names = [step.name for step in (*self.steps, *self.closing)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"steps: {', '.join(twice)} more than once")
        return self

    def find_faults(
        self, *, actions: Collection[str], conditions: Collection[str], undoable: Collection[str]
    ) -> list[str]:
        """Names that nobody knows, all of them.

        Args:
            actions: Names of the actions there are.
            conditions: Names of the conditions there are.
            undoable: Actions that can be taken back.
        """
        faults = []
        for step in (*self.steps, *self.closing):
            place = f"step {step.name}"
            if step.do not in actions:
                faults.append(f"{place}: do: {step.do}: expected one of {_list(actions)}")
            if step.undo is not None and step.undo not in undoable:
                faults.append(f"{place}: undo: {step.undo}: expected one of {_list(undoable)}")
            if step.when is not None and step.when not in conditions:
                faults.append(f"{place}: when: {step.when}: expected one of {_list(conditions)}")
        faults += [
            f"exits: {name}: expected one of {_list(conditions)}"
            for name in self.exits
            if name not in conditions
        ]
        return faults


def load_spec(path: Path) -> WorkflowSpec:
    """The workflow in that file; ConfigurationError names every fault."""
    return read_settings_file(path, WorkflowSpec, what="workflow")


def require_known(
    spec: WorkflowSpec,
    *,
    actions: Collection[str],
    conditions: Collection[str],
    undoable: Collection[str],
) -> WorkflowSpec:
    """The workflow; ConfigurationError names all its actions and conditions that nobody knows."""
    faults = spec.find_faults(actions=actions, conditions=conditions, undoable=undoable)
    if faults:
        raise ConfigurationError(f"workflow {spec.name}: {'; '.join(faults)}")
    return spec


def _list(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none, as there are none"
