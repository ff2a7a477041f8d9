"""What the playbooks achieved, against the arms that never switch off."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from serving.cli.data import AsOfOption, DataOption, read_as_of, require_file_place
from serving.cli.output import JsonOption, progress, say, show, show_json
from serving.cli.own_store import open_own_store
from serving.cli.seeds import SeedOption
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.playbooks.measures import NotEnoughCases, list_words, measure_playbooks
from serving.playbooks.outcomes import HORIZON_DAYS, collect_outcomes, read_books
from serving.playbooks.settings import load_playbooks_file
from serving.settings import read_settings


def report(
    data: DataOption,
    as_of: AsOfOption = None,
    horizon: Annotated[
        int, typer.Option("--horizon", min=1, max=365, help="Days after its opening that count.")
    ] = HORIZON_DAYS,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="HTML file with everything, by cohort too.",
            callback=require_file_place,
        ),
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What the cases came to, against the holdout; 1 where too few can tell yet."""
    settings = read_settings()
    playbooks = load_playbooks_file(settings.playbooks)
    tables, moment = read_as_of(data, as_of)
    claim_home(settings.home, tables)
    store = open_own_store(settings)
    with store.reading() as session:
        books = read_books(session)
    store.close()
    with progress("measuring the playbooks"):
        outcomes = collect_outcomes(
            books,
            tables,
            known_until=moment,
            horizon_days=horizon,
            task_cents=playbooks.task_cents,
        )
        found = measure_playbooks(outcomes, rng=np.random.default_rng(seed))
    if out is not None:
        # Drawing is imported where it is wanted: the other commands of the group do without.
        from serving.evaluate.playbooks import make_playbook_page

        make_playbook_page(found, outcomes).write(out)
    words = list_words(found)
    told = [one for one in found if not isinstance(one, NotEnoughCases)]
    if as_json:
        show_json(
            {
                "as_of": moment.isoformat(),
                "out": None if out is None else str(out),
                "horizon_days": horizon,
                "cases": len(outcomes.customer_id),
                "words": words,
                "comparisons": [
                    {
                        "ours": [arm.value for arm in one.ours],
                        "theirs": one.theirs.value,
                        "by": one.by,
                        "cohort": one.cohort,
                        "figures": {
                            figure.measure.value: [
                                _to_null(n) for n in (figure.value, figure.low, figure.high)
                            ]
                            for figure in one.figures
                        },
                    }
                    for one in told
                ],
            }
        )
    else:
        for line in words:
            show(line)
        if out is not None:
            show(str(out))
        if not told:
            say(f"a case tells {horizon} days after it was opened")
    if not told:
        raise typer.Exit(EXIT_REFUSED)


def _to_null(value: float) -> float | None:
    return None if np.isnan(value) else value
