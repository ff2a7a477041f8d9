"""`opportune playbooks learn`: what a case does to a customer, from cases that are over."""

from collections.abc import Mapping
from contextlib import closing
from typing import Annotated

import typer

from serving.cli.data import AsOfOption, DataOption, read_as_of
from serving.cli.output import Json, JsonOption, progress, say, show, show_json
from serving.cli.own_store import open_own_store
from serving.cli.seeds import SeedOption
from serving.cli.signing import sign
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.playbooks.outcomes import HORIZON_DAYS
from serving.settings import read_settings
from training.datasets.provenance import NotEnoughData
from training.gate import Hold, Promote


def learn(
    data: DataOption,
    as_of: AsOfOption = None,
    horizon: Annotated[
        int, typer.Option("--horizon", min=1, max=365, help="Days after its opening that count.")
    ] = HORIZON_DAYS,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Learn from cases and their holdout whom a case keeps; the gate says whether it may judge.

    1 where there are too few cases, or the gate holds the model.
    """
    # MLflow takes a second to import, and people who look at their tasks wait for it.
    from serving.evaluate.case_log import read_case_log
    from training.case_effect import learn_case_effect, promote_case_effect
    from training.registry.tracking import Tracking

    settings = read_settings()
    tables, moment = read_as_of(data, as_of)
    claim_home(settings.home, tables)
    with closing(open_own_store(settings)) as store, store.reading() as session:
        cases = session.cases.list()
    with progress("learning from cases"):
        log = read_case_log(cases, tables, known_until=moment, horizon_days=horizon)
        record = learn_case_effect(log)
    if isinstance(record, NotEnoughData):
        _show_lack(record, n=len(log), as_json=as_json)
        raise typer.Exit(EXIT_REFUSED)
    tracking = Tracking.in_folder(settings.registry)
    tracking.log_training(record)
    answer = promote_case_effect(
        log, known_until=moment, tracking=tracking, seed=seed, audit=sign()
    )
    _show_answer(answer, record.metrics, as_json=as_json)
    if isinstance(answer, Hold):
        raise typer.Exit(EXIT_REFUSED)


def _show_lack(found: NotEnoughData, *, n: int, as_json: bool) -> None:
    if as_json:
        show_json({"trained": False, "cases": n, "reason": found.reason})
    else:
        show(f"not learned, of {n:,} cases that can tell: {found.reason}")


def _show_answer(answer: Promote | Hold, seen: Mapping[str, float], *, as_json: bool) -> None:
    reasons = [] if isinstance(answer, Promote) else list(answer.reasons)
    if as_json:
        told: list[Json] = [*reasons]
        show_json(
            {
                "trained": True,
                "version": answer.version,
                "promoted": isinstance(answer, Promote),
                "reasons": told,
                "metrics": dict(seen),
            }
        )
        return
    show(
        f"{seen['n_acted']:,.0f} cases acted on and {seen['n_holdout']:,.0f} of the holdout: "
        f"{seen['save_rate']:.3f} of the first stayed, {seen['saved']:+.3f} "
        f"[{seen['saved_low']:+.3f}, {seen['saved_high']:+.3f}] more than of the second"
    )
    show(f"{answer.name}: version {answer.version} {'held' if reasons else 'promoted'}")
    for reason in reasons:
        show(f"  because {reason}")
    if not reasons:
        say("`playbooks start` asks it from now on, `/events` from the next publication")
