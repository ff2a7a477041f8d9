"""Commands of the churn playbooks: cases, tasks, and what came of them."""

from collections.abc import Callable, Sized
from datetime import UTC, datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import typer

from features.errors import BadInputError, ConflictError, NotReadyError
from features.tables import Tables
from serving.audit.story import tell_entries
from serving.cli.data import AsOfOption, DataOption, read_as_of
from serving.cli.output import Json, JsonOption, progress, say, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.cli.people import ByOption, WhyOption
from serving.cli.playbook_learning import learn
from serving.cli.playbook_report import report
from serving.cli.zones import read_zone
from serving.corridor.settings import Corridor, find_corridor
from serving.home import claim_home
from serving.moments import show_moment
from serving.playbooks.batch import Started, start_cases
from serving.playbooks.plans import KIND
from serving.playbooks.words import drop_task, finish_task, stop_case, take_task
from serving.runtime import wire_parts
from serving.settings import Settings, read_settings
from serving.snapshot.files import current_version
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models
from serving.store.cases import CaseRow, CaseState
from serving.store.store import StoreSession
from serving.store.tasks import TaskAnswer, TaskOutcome, TaskRow, TaskState
from training.bandit.files import new_bandit

playbooks = typer.Typer(
    help="Customers who may be lost: cases, tasks, offers, and what came of them.",
    no_args_is_help=True,
)

playbooks.command("report")(report)
playbooks.command("learn")(learn)

CaseArgument = Annotated[str, typer.Argument(help="Identity of the case.")]
TaskArgument = Annotated[str, typer.Argument(help="Identity of the task.")]
MostOption = Annotated[int, typer.Option("--most", min=1, help="Show at most as many.")]

_REFUSALS: Final = {
    TaskAnswer.UNKNOWN: "there is no task of that identity",
    TaskAnswer.OTHERS: "somebody else has taken it",
    TaskAnswer.OVER: "it is done or dropped already",
}


@playbooks.command("start")
def start(data: DataOption, as_of: AsOfOption = None, as_json: JsonOption = False) -> None:
    """Open a case for every customer at risk who has none, and tell open ones what changed."""
    settings = read_settings()
    tables, moment = read_as_of(data, as_of)
    with progress(f"looking for customers at risk in {data}"):
        started = _start(settings, tables, moment)
    if as_json:
        cases: list[Json] = [_describe_case(case) for case in started.opened]
        show_json(
            {
                "as_of": moment.isoformat(),
                "at_risk": started.n_at_risk,
                "opened": cases,
                "told": started.n_told,
            }
        )
        return
    show(
        f"{started.n_at_risk:,} customers at risk; {len(started.opened):,} cases opened, "
        f"{started.n_told:,} open ones told that their customer recovered or left"
    )
    if started.opened:
        show_table(_CASE_HEADER, [_case_cells(case) for case in started.opened])
        say("`opportune act` takes their steps")
        _warn_of_currency(settings)
    if started.n_unjudged:
        say(
            f"of {started.n_unjudged:,} no model says what contact does to them: they get no "
            "offer; train uplift and promote it, or `opportune playbooks learn` from past cases"
        )


@playbooks.command("list")
def list_cases(
    state: Annotated[CaseState | None, typer.Option(help="Only those.")] = None,
    most: MostOption = 50,
    as_json: JsonOption = False,
) -> None:
    """Cases, the newest first."""
    store = open_own_store(read_settings())
    with store.reading() as session:
        found = session.cases.list(state=state, most=most)
    store.close()
    if as_json:
        show_json({"cases": [_describe_case(case) for case in found]})
    else:
        show_table(_CASE_HEADER, [_case_cells(case) for case in found])
        _say_cut(found, most=most)


@playbooks.command("show")
def show_case(
    case_id: CaseArgument,
    zone: Annotated[
        str | None,
        typer.Option(help="IANA zone of the times; OPPORTUNE_ZONE when not given."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """One case: where it stands, its offers and tasks, its brief, and everything that was done."""
    settings = read_settings()
    place = read_zone(zone or settings.zone)
    store = open_own_store(settings)
    with store.reading() as session:
        case = _require_case(session, case_id)
        if as_json:
            show_json(_describe_whole(session, case))
        else:
            _show_whole(session, case, zone=place)
    store.close()


@playbooks.command("tasks")
def list_tasks(
    owner: Annotated[str | None, typer.Option(help="Only those of that team.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Only those that person has.")] = None,
    most: MostOption = 50,
    as_json: JsonOption = False,
) -> None:
    """Tasks that are to be done, what is due first before the rest."""
    store = open_own_store(read_settings())
    with store.reading() as session:
        found = session.tasks.list(owner=owner, taken_by=by, most=most)
    store.close()
    now = datetime.now(UTC)
    if as_json:
        show_json({"tasks": [_describe_task(task, now=now) for task in found]})
    else:
        show_table(_TASK_HEADER, [_task_cells(task, now=now) for task in found])
        _say_cut(found, most=most)


@playbooks.command("take")
def take(task_id: TaskArgument, by: ByOption, as_json: JsonOption = False) -> None:
    """Work on a task from now on."""
    now = datetime.now(UTC)
    _change(task_id, lambda session: take_task(session, task_id, by=by, now=now), as_json=as_json)


@playbooks.command("finish")
def finish(
    task_id: TaskArgument,
    by: ByOption,
    outcome: Annotated[TaskOutcome, typer.Option(help="What came of it.")],
    note: Annotated[str, typer.Option(help="In your own words.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Say that a task is done, and what came of it."""
    now = datetime.now(UTC)
    _change(
        task_id,
        lambda session: finish_task(session, task_id, by=by, outcome=outcome, now=now, note=note),
        as_json=as_json,
    )


@playbooks.command("drop")
def drop(
    task_id: TaskArgument,
    by: ByOption,
    why: WhyOption,
    as_json: JsonOption = False,
) -> None:
    """Say that there is no need of a task any more."""
    now = datetime.now(UTC)
    _change(
        task_id,
        lambda session: drop_task(session, task_id, by=by, now=now, why=why),
        as_json=as_json,
    )


@playbooks.command("stop")
def stop(
    case_id: CaseArgument,
    by: ByOption,
    why: WhyOption,
    as_json: JsonOption = False,
) -> None:
    """End a case: nothing more is done about it."""
    store = open_own_store(read_settings())
    with store.transaction() as session:
        _require_case(session, case_id)
        stopped = stop_case(session, case_id, by=by, now=datetime.now(UTC), why=why)
    store.close()
    if as_json:
        show_json({"case": case_id, "stopped": stopped})
    else:
        show(f"{case_id}: {'ended' if stopped else 'it was over already'}")


# ---------------------------------------------------------------- what is shown


def _say_cut(found: Sized, *, most: int) -> None:
    if len(found) == most:
        say(f"{most:,} are shown at most; --most shows more")


_CASE_HEADER: Final = (
    "case", "customer", "tier", "p", "reason", "arm", "group", "opened (UTC)", "state",
)  # fmt: skip
_TASK_HEADER: Final = ("task", "customer", "owner", "what", "due (UTC)", "state")


def _start(settings: Settings, tables: Tables, moment: datetime) -> Started:
    claim_home(settings.home, tables)
    models = _load_models(settings)
    if models.churn is None:
        raise NotReadyError("no churn champion yet: train churn, then promote it")
    if current_version(settings.snapshots) is None:
        raise NotReadyError(
            f"nothing is published in {settings.home}, and no step of a case can be taken without: "
            "start `opportune serve --data DIR` once"
        )
    parts = wire_parts(settings, clock=lambda: moment)
    snapshot = make_snapshot(tables, as_of=moment, models=models, bandit=new_bandit())
    started = start_cases(parts.store, parts.opener, snapshot, now=moment)
    parts.store.close()
    return started


def _warn_of_currency(settings: Settings) -> None:
    corridor = find_corridor(settings.corridor)
    if isinstance(corridor, Corridor) and corridor.currency != settings.currency:
        say(
            f"[yellow]no offer can be made[/yellow]: OPPORTUNE_CURRENCY is {settings.currency}, "
            f"the corridor ({settings.corridor or 'as it ships'}) counts {corridor.currency}; put "
            f"`currency: {settings.currency}` and your limits into the file of OPPORTUNE_CORRIDOR, "
            f"or `export OPPORTUNE_CURRENCY={corridor.currency}`"
        )


def _load_models(settings: Settings) -> Models:
    # MLflow takes a second to import, and people who look at their tasks wait for it.
    from serving.publish import load_champions
    from training.registry.tracking import Tracking

    return load_champions(Tracking.in_folder(settings.registry))


def _require_case(session: StoreSession, case_id: str) -> CaseRow:
    case = session.cases.find(case_id.removeprefix(f"{KIND}/"))
    if case is None:
        raise BadInputError(f"case {case_id}: there is none of that identity")
    return case


def _case_cells(case: CaseRow) -> tuple[str, ...]:
    return (
        case.case_id,
        case.customer_id,
        case.tier,
        f"{case.p_churn:.2f}",
        case.factor or "",
        case.arm,
        case.uplift_group or "not known",
        f"{case.opened_at:%Y-%m-%d %H:%M}",
        case.state if case.exit_reason is None else f"{case.state}: {case.exit_reason}",
    )


def _task_cells(task: TaskRow, *, now: datetime) -> tuple[str, ...]:
    due = f"{task.due_at:%Y-%m-%d %H:%M}" + (" overdue" if task.is_overdue(now) else "")
    state = task.state if task.taken_by is None else f"{task.state}: {task.taken_by}"
    return (task.task_id, task.customer_id, task.owner, task.title, due, state)


def _describe_case(case: CaseRow) -> dict[str, Json]:
    return {
        "case": case.case_id,
        "customer": case.customer_id,
        "source": case.source,
        "tier": case.tier.value,
        "p_churn": case.p_churn,
        "factors": [factor.value for factor in case.factors],
        "arm": case.arm.value,
        "p_arm": case.p_arm,
        "uplift_group": None if case.uplift_group is None else case.uplift_group.value,
        "judge": case.judge,
        "mrr_cents": case.mrr_cents,
        "playbook": case.playbook,
        "opened_at": case.opened_at.isoformat(),
        "state": case.state.value,
        "exit": None if case.exit_reason is None else case.exit_reason.value,
        "closed_at": None if case.closed_at is None else case.closed_at.isoformat(),
    }


def _describe_task(task: TaskRow, *, now: datetime) -> dict[str, Json]:
    return {
        "task": task.task_id,
        "case": task.case_id,
        "customer": task.customer_id,
        "kind": task.kind,
        "title": task.title,
        "owner": task.owner,
        "due_at": task.due_at.isoformat(),
        "overdue": task.is_overdue(now),
        "state": task.state.value,
        "taken_by": task.taken_by,
        "outcome": None if task.outcome is None else task.outcome.value,
    }


def _describe_whole(session: StoreSession, case: CaseRow) -> dict[str, Json]:
    now = datetime.now(UTC)
    flow = session.flows.find(f"{KIND}/{case.case_id}")
    tasks = session.tasks.list(states=tuple(TaskState), case_id=case.case_id)
    return {
        **_describe_case(case),
        "step": None if flow is None else flow.step,
        "due_at": None if flow is None or flow.due_at is None else flow.due_at.isoformat(),
        "brief": session.cases.find_brief(case.case_id),
        "tasks": [_describe_task(task, now=now) for task in tasks],
        "offers": [
            {
                "offer": offer.offer,
                "state": offer.state.value,
                "cost_cents": offer.cost_cents,
                "propensity": offer.propensity,
            }
            for offer in session.cases.list_offers(case_id=case.case_id)
        ],
    }


def _show_whole(session: StoreSession, case: CaseRow, *, zone: ZoneInfo) -> None:
    show_table(_CASE_HEADER, [_case_cells(case)])
    show(f"what contact does, by: {case.judge or 'no model'}")
    flow = session.flows.find(f"{KIND}/{case.case_id}")
    if flow is not None and flow.due_at is not None:
        step = flow.step or "none yet"
        show(f"\nstep {step}; goes on at {show_moment(flow.due_at, zone=zone.key)}")
    offers = session.cases.list_offers(case_id=case.case_id)
    if offers:
        rows = [(o.offer, o.state, f"{o.cost_cents / 100:,.2f} {o.currency}") for o in offers]
        show_table(("offer", "state", "cost at most"), rows)
    tasks = session.tasks.list(states=tuple(TaskState), case_id=case.case_id)
    if tasks:
        now = datetime.now(UTC)
        show_table(_TASK_HEADER, [_task_cells(task, now=now) for task in tasks])
    if brief := session.cases.find_brief(case.case_id):
        show("\n" + brief)
    entries = session.audit.read(subject=f"{KIND}/{case.case_id}")
    for line in tell_entries(entries, zone=zone):
        show(line)


def _change(task_id: str, change: Callable[[StoreSession], TaskAnswer], *, as_json: bool) -> None:
    """Change a task, and say what came of it; nothing changes where it is refused."""
    store = open_own_store(read_settings())
    with store.transaction() as session:
        answer = change(session)
    store.close()
    if answer in _REFUSALS:
        refused = ConflictError if answer is not TaskAnswer.UNKNOWN else BadInputError
        raise refused(f"task {task_id}: {_REFUSALS[answer]}")
    if as_json:
        show_json({"task": task_id, "answer": answer.value})
    else:
        show(f"{task_id}: {'noted' if answer is TaskAnswer.DONE else 'that was known already'}")
