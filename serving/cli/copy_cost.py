"""What a library of variants will cost, before anything is spent: `opportune copy cost`."""

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from serving.cli.output import Json, JsonOption, show, show_json, show_table
from serving.copy.library import default_library
from serving.copy.voice import read_brand, read_offers
from serving.copywriter.costs import (
    CallTokens,
    CostEstimate,
    LibraryPlan,
    TokenAssumptions,
    Way,
    estimate_costs,
)
from serving.copywriter.measuring import measure_tokens
from serving.copywriter.prices import PriceTable, load_prices
from serving.copywriter.rules import load_rules
from serving.runtime import read_copy_settings
from serving.settings import Settings, read_settings

_PLAN = LibraryPlan()
_HEADER = ("what", "calls", "tokens in", "tokens out", "USD", "times", "dearer from")


def cost(
    segments: Annotated[int, typer.Option(min=1, help="Segments.")] = _PLAN.n_segments,
    triggers: Annotated[int, typer.Option(min=1, help="Triggers.")] = _PLAN.n_triggers,
    channels: Annotated[int, typer.Option(min=1, help="Channels.")] = _PLAN.n_channels,
    languages: Annotated[int, typer.Option(min=1, help="Languages.")] = _PLAN.n_languages,
    variants: Annotated[int, typer.Option(min=1, help="Variants a cell.")] = _PLAN.n_variants,
    judge: Annotated[bool, typer.Option(help="Whether variants are scored.")] = _PLAN.is_judged,
    batch: Annotated[bool, typer.Option(help="Whether the library is batched.")] = _PLAN.in_batch,
    redrafted: Annotated[
        float, typer.Option(min=0, max=10, help="Share of the cells asked for again.")
    ] = _PLAN.redrafted_share,
    messages: Annotated[int, typer.Option(min=1, help="Messages sent.")] = _PLAN.n_messages,
    model: Annotated[str | None, typer.Option(help="Writes; else the configured one.")] = None,
    judge_model: Annotated[str | None, typer.Option(help="Judges; else as --model.")] = None,
    prices: Annotated[Path | None, typer.Option(help="Another file of prices.")] = None,
    system_tokens: Annotated[
        int | None, typer.Option(min=0, help="Shared prompt; else measured, as all tokens.")
    ] = None,
    user_tokens: Annotated[int | None, typer.Option(min=0, help="A cell's brief.")] = None,
    variant_tokens: Annotated[int | None, typer.Option(min=1, help="A variant.")] = None,
    message_tokens: Annotated[int | None, typer.Option(min=1, help="A message.")] = None,
    thinking_tokens: Annotated[
        int | None, typer.Option(min=0, help="Of every call; the one that is only assumed.")
    ] = None,
    judge_system_tokens: Annotated[int | None, typer.Option(min=0, help="The rubric.")] = None,
    judge_tokens: Annotated[int | None, typer.Option(min=1, help="A variant's scores.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The arithmetic of a library against a call for every message; nothing is spent."""
    settings = read_settings()
    table = load_prices(prices or settings.anthropic.prices)
    given = {
        "system": system_tokens,
        "user": user_tokens,
        "variant": variant_tokens,
        "message": message_tokens,
        "thinking": thinking_tokens,
        "judge_system": judge_system_tokens,
        "judge_reply": judge_tokens,
    }
    known = {name: number for name, number in given.items() if number is not None}
    tokens = replace(_measure(settings), **known)
    plan = LibraryPlan(
        n_segments=segments,
        n_triggers=triggers,
        n_channels=channels,
        n_languages=languages,
        n_variants=variants,
        is_judged=judge,
        redrafted_share=redrafted,
        in_batch=batch,
        n_messages=messages,
    )
    estimate = estimate_costs(
        plan,
        writer=model or settings.anthropic.writer_model,
        judge=judge_model or model or settings.anthropic.judge_model,
        prices=table,
        tokens=tokens,
    )
    if as_json:
        show_json(_to_json(estimate, tokens=tokens, prices=table))
    else:
        _show(estimate, tokens=tokens, prices=table)


def _measure(settings: Settings) -> TokenAssumptions:
    """Tokens of the prompts that these settings make."""
    return measure_tokens(
        rules=load_rules(settings.drafting),
        brand=read_brand(settings.voice, settings=read_copy_settings(settings)),
        offers=read_offers(settings.offers),
        library=default_library(),
        today=datetime.now(UTC).date(),
    )


def _to_json(estimate: CostEstimate, *, tokens: TokenAssumptions, prices: PriceTable) -> Json:
    library, plan = estimate.library, estimate.plan
    return {
        "prices": {"as_of": prices.as_of.isoformat(), "source": prices.source},
        "models": {"writer": estimate.writer, "judge": estimate.judge},
        "plan": asdict(plan) | {"n_cells": plan.n_cells, "n_calls": plan.n_calls},
        "tokens": asdict(tokens),
        "library_usd": {
            "draft": _round(library.draft),
            "judge": _round(library.judge),
            "total": _round(library.total),
        },
        "per_message": [asdict(row) | {"usd": _round(row.usd)} for row in estimate.per_message],
        "more": {
            "n_messages": estimate.more_messages,
            "library_usd": _round(estimate.more_library_usd),
            "per_message_usd": _round(estimate.more_per_message_usd),
        },
    }


def _round(usd: float) -> float:
    """To a thousandth of a cent: no 45.32000000000001."""
    return round(usd, 5)


def _show(estimate: CostEstimate, *, tokens: TokenAssumptions, prices: PriceTable) -> None:
    plan, library = estimate.plan, estimate.library
    way = Way.BATCH if plan.in_batch else Way.LIVE_CACHED
    show(
        f"Cells: {plan.n_segments} segments x {plan.n_triggers} triggers x {plan.n_channels} "
        f"channels x {plan.n_languages} languages = {plan.n_cells:,}; with "
        f"{plan.redrafted_share:.0%} asked again {plan.n_calls:,} calls"
    )
    write = f"write {plan.n_variants} variants a call ({estimate.writer}, {way})"
    rows = [_row(write, plan.n_calls, tokens.draft(plan.n_variants), library.draft)]
    if plan.is_judged:
        judge = f"judge them ({estimate.judge}, {way})"
        rows.append(_row(judge, plan.n_calls, tokens.judge(plan.n_variants), library.judge))
    rows.append(("the library, once", "", "", "", _write_usd(library.total), "1", ""))
    for each in estimate.per_message:
        what = f"a call for every message ({each.way})"
        ratio = "none" if each.ratio is None else f"{each.ratio:,.1f}"
        even = "never" if each.n_even is None else f"{each.n_even:,}"
        start = _row(what, plan.n_messages, tokens.single(), each.usd)[:-2]
        rows.append((*start, ratio, even))
    show_table(_HEADER, rows)
    show(
        f"{estimate.more_messages:,} messages more: {_write_usd(estimate.more_library_usd)} USD "
        f"from the library, {_write_usd(estimate.more_per_message_usd)} USD with a call for each "
        f"({Way.LIVE_CACHED})"
    )
    show(
        f"Prices as of {prices.as_of} ({prices.source}). Tokens in are shared + own, counted "
        f"roughly on your prompts and the texts that ship; {tokens.thinking} of each reply are "
        "for thinking, an assumption. A batch answers within a day: no message can be written in "
        "one when it is due."
    )


def _row(what: str, n_calls: int, tokens: CallTokens, usd: float) -> tuple[str, ...]:
    own = f"{tokens.system:,} + {tokens.user:,}"
    return (what, f"{n_calls:,}", own, f"{tokens.reply:,}", _write_usd(usd), "", "")


def _write_usd(usd: float) -> str:
    return f"{usd:,.2f}"
