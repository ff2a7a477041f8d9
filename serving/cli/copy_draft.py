"""The commands that draft variants, and show what would be asked."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from features.errors import BadInputError, NotReadyError
from features.vocabulary import Channel, Trigger
from serving.cli.output import Json, JsonOption, progress, say, show, show_json, show_table
from serving.cli.unaccounted import warn_of_unaccounted
from serving.copy.brief import Brand, Brief, Offer
from serving.copy.drafted import compile_draft
from serving.copy.library import Library, default_library
from serving.copy.stored import StoredVariant
from serving.copy.voice import read_brand, read_offers
from serving.copywriter import from_templates
from serving.copywriter.briefing import CellChoice, digest_brief, list_briefs
from serving.copywriter.costs import estimate_prompts_usd
from serving.copywriter.drafting import Believe, Cell, Drafter, DraftingReport, plan_cells
from serving.copywriter.first_belief import believe_of_newcomer, load_variant_prior
from serving.copywriter.measuring import measure_tokens
from serving.copywriter.prices import load_prices
from serving.copywriter.prompts import make_variants_prompt
from serving.copywriter.reply import Role
from serving.copywriter.rules import DraftingRules, load_rules
from serving.faults import EXIT_REFUSED
from serving.runtime import read_copy_settings
from serving.settings import Settings, read_settings
from serving.store.store import Store
from training.bandit.beliefs import ArmPrior

if TYPE_CHECKING:
    from serving.copywriter.claude import Claude

_FEW = 10  # cells that are not worth waiting for a batch

TriggerOption = Annotated[
    list[Trigger] | None, typer.Option("--trigger", help="May be repeated; all when not given.")
]
ChannelOption = Annotated[
    list[Channel] | None, typer.Option("--channel", help="May be repeated; all when not given.")
]
LanguageOption = Annotated[
    list[str] | None, typer.Option("--language", help="May be repeated; all when not given.")
]
SegmentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--segment", help="A segment of the drafting rules; everybody when none is given."
    ),
]


@dataclass(frozen=True)
class _Desk:
    """What drafting needs of the settings."""

    settings: Settings
    rules: DraftingRules
    brand: Brand
    offers: tuple[Offer, ...]
    library: Library
    briefs: tuple[Brief, ...]

    @property
    def model(self) -> str:
        """Who is asked."""
        return self.settings.anthropic.model_of(Role.WRITER)


def draft(
    trigger: TriggerOption = None,
    channel: ChannelOption = None,
    language: LanguageOption = None,
    segment: SegmentOption = None,
    by: Annotated[str, typer.Option("--by", help="On whose behalf.")] = "opportune copy draft",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print prompts and costs; ask and spend nothing.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Pay for cells that were drafted before, too.")
    ] = False,
    batch: Annotated[
        bool | None,
        typer.Option(
            "--batch/--live", help=f"Half the price, later; a batch from {_FEW} cells on."
        ),
    ] = None,
    collect: Annotated[
        str | None, typer.Option("--collect", help="Take the answers of a batch made before.")
    ] = None,
    templates: Annotated[
        bool, typer.Option("--from-templates", help="Of the texts that ship; needs no key.")
    ] = False,
    prior: Annotated[
        Path | None, typer.Option("--prior", help="File of `opportune copy learn-prior`.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Draft variants, check them, and keep them for approval. 1 where a question got no answer."""
    choice = CellChoice(trigger or (), channel or (), language or (), segment or ())
    if templates:
        about_asking = {"--again": again, "--batch": batch, "--collect": collect, "--prior": prior}
        _refuse_idle(about_asking, beside="--from-templates")
    if collect is not None:
        _refuse_idle({"--again": again, "--live": batch is False}, beside="--collect")
    desk = _read_desk(choice)
    if dry_run:
        _show_plan(desk, in_batch=_is_batch(batch, desk.briefs), as_json=as_json)
        return
    if not templates and not desk.settings.anthropic.has_key:
        raise NotReadyError(
            "no key, so nothing can be asked and templates speak: set OPPORTUNE_ANTHROPIC_API_KEY, "
            "or try the way with drafts of the texts that ship (--from-templates)"
        )
    with closing(Store(desk.settings.store_place)) as store:
        if templates:
            report = _lay_out(desk, store, by=by)
        else:
            report = _ask(
                desk,
                store,
                by=by,
                again=again,
                in_batch=collect is not None or _is_batch(batch, desk.briefs),
                collect=collect,
                believe=_read_belief(prior, desk.library),
            )
    _tell(report, was_asked=not templates, as_json=as_json)
    if report.n_failed:
        raise typer.Exit(EXIT_REFUSED)


def brief(
    trigger: TriggerOption = None,
    channel: ChannelOption = None,
    language: LanguageOption = None,
    segment: SegmentOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a writer is told of cells: all that a text may name and promise."""
    desk = _read_desk(CellChoice(trigger or (), channel or (), language or (), segment or ()))
    if as_json:
        told: list[Json] = [
            {"digest": digest_brief(one), "brief": one.model_dump(mode="json")}
            for one in desk.briefs
        ]
        show_json({"briefs": told})
        return
    for one in desk.briefs:
        slots = ", ".join(slot.name for slot in one.slots) or "none"
        offers = ", ".join(offer.offer_id for offer in one.offers) or "none"
        show(
            f"{one.trigger} {one.channel} {one.language} {one.segment or 'everybody'}: {one.tone}, "
            f"slots {slots}, offers {offers}, brief {digest_brief(one)}"
        )


def _read_desk(choice: CellChoice) -> _Desk:
    settings = read_settings()
    rules, library = load_rules(settings.drafting), default_library()
    brand = read_brand(settings.voice, settings=read_copy_settings(settings))
    offers = read_offers(settings.offers)
    briefs = list_briefs(
        choice,
        rules=rules,
        brand=brand,
        offers=offers,
        library=library,
        today=datetime.now(UTC).date(),
    )
    return _Desk(settings, rules, brand, offers, library, briefs)


def _refuse_idle(options: Mapping[str, object], *, beside: str) -> None:
    if given := [name for name, value in options.items() if value]:
        raise BadInputError(f"{', '.join(given)}: has no meaning with {beside}")


def _is_batch(asked: bool | None, briefs: Sequence[Brief]) -> bool:
    return len(briefs) >= _FEW if asked is None else asked


def _show_plan(desk: _Desk, *, in_batch: bool, as_json: bool) -> None:
    """The prompts and what they would cost; without looking at what was drafted before."""
    prompts = [make_variants_prompt(one) for one in desk.briefs]
    tokens = measure_tokens(
        rules=desk.rules,
        brand=desk.brand,
        offers=desk.offers,
        library=desk.library,
        today=datetime.now(UTC).date(),
    )
    prices = load_prices(desk.settings.anthropic.prices)
    usd = estimate_prompts_usd(
        prompts,
        reply_tokens=tokens.draft(desk.rules.n_variants).reply,
        model=desk.model,
        prices=prices,
        in_batch=in_batch,
    )
    if as_json:
        asked: list[Json] = [{"name": p.name, "system": p.system, "user": p.user} for p in prompts]
        show_json(
            {"prompts": asked, "model": desk.model, "in_batch": in_batch, "estimated_usd": usd}
        )
        return
    for system in dict.fromkeys(prompt.system for prompt in prompts):
        show(system)
    for prompt in prompts:
        show(prompt.user)
    way = "in a batch" if in_batch else "one by one"
    say(
        f"questions to {desk.model}, {way}: {len(prompts):,}, for about {usd:.4f} USD by prices of "
        f"{prices.as_of}, tokens roughly counted; nothing was asked"
    )


def _lay_out(desk: _Desk, store: Store, *, by: str) -> DraftingReport:
    cells = plan_cells(desk.briefs, prompt_name=from_templates.PROMPT_NAME, model=None)
    with progress(f"laying out {len(cells):,} cells"):
        return from_templates.lay_out(
            cells,
            store.variants,
            library=desk.library,
            rules=desk.rules,
            by=by,
            at=datetime.now(UTC),
        )


def _ask(
    desk: _Desk,
    store: Store,
    *,
    by: str,
    again: bool,
    in_batch: bool,
    collect: str | None,
    believe: Believe,
) -> DraftingReport:
    # A second of imports that other commands can do without.
    from serving.copywriter.claude import Claude

    anthropic = desk.settings.anthropic
    cells = plan_cells(desk.briefs, model=desk.model)
    deadline = anthropic.batch_deadline_seconds if in_batch else desk.rules.deadline_seconds
    with Claude(anthropic, prices=load_prices(anthropic.prices)) as asker:
        drafter = Drafter(
            asker,
            store.variants,
            library=desk.library,
            rules=desk.rules,
            model=desk.model,
            by=by,
            believe=believe,
            tell=lambda made: say(escape(f"batch {made}; if this ends: --collect {made}")),
        )
        at = datetime.now(UTC)
        with progress(f"drafting {len(cells):,} cells"):
            report = (
                drafter.draft(
                    cells, at=at, deadline_seconds=deadline, in_batch=in_batch, again=again
                )
                if collect is None
                else _collect(drafter, asker, cells, collect, deadline_seconds=deadline, at=at)
            )
        warn_of_unaccounted(asker.spending.unaccounted_usd)
    return report


def _collect(
    drafter: Drafter,
    asker: "Claude",
    cells: Sequence[Cell],
    batch_id: str,
    *,
    deadline_seconds: float,
    at: datetime,
) -> DraftingReport:
    """Answers of a batch whose process has ended; the same cells must be named again."""
    by_key = {cell.key: cell for cell in cells}
    prompts = {key: make_variants_prompt(cell.brief) for key, cell in by_key.items()}
    answers = asker.collect_batch(batch_id, prompts, deadline_seconds=deadline_seconds)
    report = DraftingReport(n_cells=len(cells))
    name = next(iter(prompts.values())).name
    drafter.take(answers.items(), by_key, report=report, at=at, name=name)
    return report


def _read_belief(path: Path | None, library: Library) -> Believe:
    """What a prior believes of new variants; nothing where none is given."""
    if path is None:
        return lambda _: None
    prior = load_variant_prior(path)

    def believe(stored: StoredVariant) -> ArmPrior | None:
        variant = compile_draft(
            stored.draft, variant_id=stored.variant_id, library=library, offer=stored.offer
        )
        return believe_of_newcomer(variant, library=library, prior=prior)

    return believe


def _tell(report: DraftingReport, *, was_asked: bool, as_json: bool) -> None:
    outcomes: dict[str, Json] = {outcome.value: n for outcome, n in sorted(report.outcomes.items())}
    if as_json:
        show_json(
            {
                "cells": report.n_cells,
                "drafted_before": report.n_known,
                "outcomes": outcomes,
                "details": report.details,
                "drafts": report.n_drafts,
                "faulty": report.n_faulty,
                "repeated": report.n_repeated,
                "approved_by_rule": report.n_approved,
                "faults": dict(sorted(report.faults.items())),
                "cost_usd": report.usage.cost_usd,
                "variants": report.variant_ids,
            }
        )
        return
    if was_asked and outcomes:
        show_table(("outcome", "questions"), [(name, f"{n}") for name, n in outcomes.items()])
    show(
        f"cells: {report.n_cells:,}, drafted before {report.n_known:,}; new drafts: without faults "
        f"{report.n_drafts:,}, with faults {report.n_faulty:,}, there already "
        f"{report.n_repeated:,}; approved by the rule: {report.n_approved:,}; "
        f"{report.usage.cost_usd:.4f} USD"
    )
    if report.faults:
        found = ", ".join(f"{name} {n}" for name, n in report.faults.most_common())
        show(f"faults: {found}")
    for detail in report.details:
        say(escape(detail))  # words of the API's, or of a model's
    if report.n_failed:
        say("cells without drafts keep the texts that ship; drafting them again asks again")
    if report.n_known:
        say("cells drafted before were not asked for: --again pays for them once more")
    if report.n_drafts > report.n_approved:
        say("next: opportune copy review --by NAME")
