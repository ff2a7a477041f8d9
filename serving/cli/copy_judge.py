"""The command that has drafts judged, and tells how far the judge agrees with people."""

from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from features.errors import NotReadyError
from serving.cli.output import JsonOption, progress, show, show_json
from serving.cli.own_store import open_own_store
from serving.cli.unaccounted import warn_of_unaccounted
from serving.copywriter.agreement import Agreement, load_golden, measure_agreement
from serving.copywriter.asker import Asker
from serving.copywriter.judge import Judgement, judge_siblings
from serving.copywriter.judging import Judging, judge_drafts
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Usage, WriterOutcome
from serving.faults import EXIT_REFUSED
from serving.settings import Settings, read_settings


def judge(
    golden: Annotated[
        Path | None,
        typer.Option(
            "--golden", help="YAML of texts that people ranked: tell how far the judge agrees."
        ),
    ] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Half the price, in minutes to hours.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Judge drafts that have a score, too.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the order in which siblings are shown.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Have a language model score the drafts that wait for approval; it approves nothing.

    Scores order the review. The exit status is 1 where a cell got none.
    """
    # Half a second of imports that other commands can do without.
    from serving.copywriter.claude import Claude

    settings = read_settings()
    if not settings.anthropic.has_key:
        raise NotReadyError("no judge without a key: set OPPORTUNE_ANTHROPIC_API_KEY")
    prices = load_prices(settings.anthropic.prices)
    with Claude(settings.anthropic, prices=prices) as asker:
        if golden is None:
            judging = _judge_store(settings, asker=asker, batch=batch, again=again, seed=seed)
            is_whole = _tell_judging(judging, as_json=as_json)
        else:
            is_whole = _judge_golden(golden, settings, asker=asker, seed=seed, as_json=as_json)
        warn_of_unaccounted(asker.spending.unaccounted_usd)
    if not is_whole:
        raise typer.Exit(EXIT_REFUSED)


def _judge_store(
    settings: Settings, *, asker: Asker, batch: bool, again: bool, seed: int
) -> Judging:
    deadline = settings.anthropic.batch_deadline_seconds
    with closing(open_own_store(settings)) as store, progress("judging drafts"):
        return judge_drafts(
            store.variants,
            asker=asker,
            at=datetime.now(UTC),
            deadline_seconds=deadline if batch else settings.anthropic.deadline_seconds,
            in_batch=batch,
            again=again,
            seed=seed,
        )


def _tell_judging(judging: Judging, *, as_json: bool) -> bool:
    """Say what came of it; whether every cell got its scores."""
    is_whole = judging.n_cells == judging.outcomes.get(WriterOutcome.OK, 0)
    outcomes = {outcome.value: n for outcome, n in judging.outcomes.items()}
    if as_json:
        show_json(
            {
                "n_cells": judging.n_cells,
                "n_scored": judging.n_scored,
                "outcomes": outcomes,
                "details": judging.details,
                "cost_usd": judging.usage.cost_usd,
            }
        )
        return is_whole
    counts = ", ".join(f"{n} {outcome}" for outcome, n in outcomes.items()) or "nothing to judge"
    show(f"{judging.n_scored} drafts scored in {judging.n_cells} cells ({counts}).")
    show(f"Cost: {judging.usage.cost_usd:.4f} USD.")
    for detail in judging.details:
        show(f"  {detail}")
    return is_whole


def _judge_golden(
    path: Path, settings: Settings, *, asker: Asker, seed: int, as_json: bool
) -> bool:
    """Say how far the judge agrees with people; whether it judged every cell."""
    cells = load_golden(path)
    judged: dict[str, Judgement] = {}
    usage = Usage()
    with progress(f"judging {len(cells)} golden cells"):
        for at, cell in enumerate(cells):
            judged[cell.name] = judge_siblings(
                cell.drafts,
                brief=cell.brief,
                asker=asker,
                deadline_seconds=settings.anthropic.deadline_seconds,
                seed=seed + at,
            )
            usage += judged[cell.name].usage
    agreement = measure_agreement(cells, judged)
    if as_json:
        show_json({**asdict(agreement), "cost_usd": usage.cost_usd})
    else:
        show(_describe_agreement(agreement))
        show(f"Cost: {usage.cost_usd:.4f} USD.")
    return agreement.n_failed == 0


def _describe_agreement(agreement: Agreement) -> str:
    failed = f" {agreement.n_failed} cells got no judgement." if agreement.n_failed else ""
    if agreement.share is None:
        return f"Nothing was judged.{failed}"
    return (
        f"The judge agrees with people on {agreement.share:.1%} "
        f"[{agreement.low:.1%}, {agreement.high:.1%}] of {agreement.n_pairs} pairs in "
        f"{agreement.n_cells} cells.{failed}"
    )
