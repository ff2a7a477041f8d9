"""Commands about stored variants: drafted, looked at, approved, taken out of what is served."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from features.vocabulary import Channel, Trigger
from serving.cli.copy_cost import cost
from serving.cli.copy_draft import brief, draft
from serving.cli.copy_judge import judge
from serving.cli.copy_prior import learn_prior
from serving.cli.output import Json, JsonOption, say, show, show_json, show_table
from serving.cli.own_store import open_own_store
from serving.cli.people import require_name
from serving.cli.void_copy import warn_of_void
from serving.copy.stored import StoredVariant, VariantEvent, VariantState
from serving.copy.wordings import Piece
from serving.runtime import wire_parts
from serving.settings import Settings, read_settings
from serving.store.store import Store

copy = typer.Typer(
    help="Variants of messages: drafted by Claude or of templates, checked, approved, retired.",
    no_args_is_help=True,
)
copy.command("draft")(draft)
copy.command("brief")(brief)
copy.command("cost")(cost)
copy.command("judge")(judge)
copy.command("learn-prior")(learn_prior)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Name of the variant.")]
ByOption = Annotated[str, typer.Option("--by", help="Who answers for it.", callback=require_name)]
NoteOption = Annotated[str, typer.Option("--note", help="Why.")]


@copy.command("list")
def list_variants(
    state: Annotated[VariantState | None, typer.Option(help="Only in that state.")] = None,
    trigger: Annotated[Trigger | None, typer.Option(help="Only of that trigger.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="Only on that channel.")] = None,
    language: Annotated[str | None, typer.Option(help="Only in that language.")] = None,
    segment: Annotated[str | None, typer.Option(help="Only for that segment.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Stored variants, the oldest first; the texts that ship are not among them.

    What was approved and does not hold with these settings (another voice, an offer that ended) is
    said; servers that are given them retire it.
    """
    settings = read_settings()
    _open(settings).close()
    parts = wire_parts(settings, clock=_now)
    with closing(parts.store) as store:
        found = store.variants.find(
            state=state, trigger=trigger, channel=channel, language=language, segment=segment
        )
        spent = store.variants.spent_usd()
        void = parts.keeper.find_void()
    void = {one.variant_id: void[one.variant_id] for one in found if one.variant_id in void}
    if as_json:
        listed: list[Json] = [_summarise(one) for one in found]
        told: dict[str, Json] = {**void}
        show_json({"variants": listed, "void": told, "spent_usd": spent})
        return
    show_table(
        ("variant", "state", "language", "segment", "source", "score", "faults"),
        [_cells(one) for one in found],
    )
    say(f"{len(found):,} variants; drafting and judging have cost {spent:.4f} USD so far")
    warn_of_void(void)


@copy.command("show")
def show_variant(variant_id: IdArgument, as_json: JsonOption = False) -> None:
    """One variant, in whatever state: its words, where they come from, and who decided what."""
    with closing(_open(read_settings())) as store:
        one = store.variants.get(variant_id)
        events = store.variants.history(variant_id)
    if as_json:
        show_json(_describe(one, events))
        return
    show(f"{one.variant_id}: {one.state}")
    for place, piece in _list_pieces(one):
        show(f"  {place}: {piece.facts}")
        if piece.plain != piece.facts:
            show(f"  {place}, without facts: {piece.plain}")
    if one.draft.cta:
        show(f"  button: {one.draft.cta}")
    for fault in one.faults:
        show(f"  fault: {fault}")
    show(
        f"  language {one.draft.language}, segment {one.draft.segment or 'everybody'}, tone "
        f"{one.brief.tone}, voice {one.brief.brand.version}, brief {one.brief_digest}"
    )
    if one.offer is not None:
        show(f"  offer {one.offer.offer_id}, version {one.offer.version}")
    show(
        f"  by {one.source}, model {one.model or 'none'}, prompt {one.prompt_name or 'none'}, "
        f"{one.cost_usd:.6f} USD, score {'none' if one.score is None else one.score}"
    )
    show_table(
        ("when", "who", "what", "why"),
        [  # names and notes are people's words, or a model's
            (f"{e.at:%Y-%m-%d %H:%M:%S}", e.by, e.what.value, e.note) for e in events
        ],
    )


@copy.command("approve")
def approve(
    variant_id: Annotated[list[str], typer.Argument(metavar="ID...", help="Names of variants.")],
    by: ByOption,
    note: NoteOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let drafts be served, all or none; running servers take them up by themselves."""
    with closing(_open(read_settings())) as store:
        decided = store.variants.approve_all(variant_id, by=by, at=_now(), note=note)
    _tell(decided, as_json=as_json)


@copy.command("reject")
def reject(
    variant_id: IdArgument, by: ByOption, note: NoteOption = "", as_json: JsonOption = False
) -> None:
    """Say no to a draft."""
    with closing(_open(read_settings())) as store:
        decided = store.variants.reject(variant_id, by=by, at=_now(), note=note)
    _tell([decided], as_json=as_json)


@copy.command("retire")
def retire(
    variant_id: IdArgument, by: ByOption, note: NoteOption = "", as_json: JsonOption = False
) -> None:
    """Take an approved variant out of what is served, at once."""
    with closing(_open(read_settings())) as store:
        decided = store.variants.retire(variant_id, by=by, at=_now(), note=note)
    _tell([decided], as_json=as_json)


@copy.command("review")
def review(
    by: ByOption,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
) -> None:
    """Read drafts side by side in a browser, as customers would see them, and decide."""
    from serving.console.desk import Desk
    from serving.console.gallery import Gallery
    from serving.console.run import ReviewAddress, run_review

    settings = read_settings()
    _open(settings).close()
    parts = wire_parts(settings, clock=_now)
    warn_of_void(parts.keeper.find_void())
    gallery = Gallery(parts.keeper.shipped, settings=parts.copy_settings, economics=parts.economics)
    with closing(parts.store):
        desk = Desk(parts.store.variants, clock=_now)
        address = ReviewAddress(host, port)
        run_review(desk, gallery=gallery, reviewer=by, say=say, address=address)


def _now() -> datetime:
    return datetime.now(UTC)


def _open(settings: Settings) -> Store:
    return open_own_store(settings, instead="; `opportune copy draft` makes one")


def _tell(decided: list[StoredVariant], *, as_json: bool) -> None:
    if as_json:
        show_json({"variants": [_summarise(one) for one in decided]})
        return
    for one in decided:
        show(f"{one.variant_id}: {one.state}")


def _list_pieces(one: StoredVariant) -> list[tuple[str, Piece]]:
    draft = one.draft
    named = (("title", draft.title), ("preheader", draft.preheader))
    pieces = [(place, piece) for place, piece in named if piece is not None]
    return [*pieces, *((f"text {at + 1}", piece) for at, piece in enumerate(draft.body))]


def _cells(one: StoredVariant) -> tuple[str, ...]:
    return (
        one.variant_id,
        one.state.value,
        one.draft.language,
        one.draft.segment or "",
        one.source.value,
        "" if one.score is None else f"{one.score:.2f}",
        ", ".join(sorted({fault.code.value for fault in one.faults})),
    )


def _summarise(one: StoredVariant) -> dict[str, Json]:
    return {
        "variant": one.variant_id,
        "state": one.state.value,
        "trigger": one.draft.trigger.value,
        "channel": one.draft.channel.value,
        "language": one.draft.language,
        "segment": one.draft.segment,
        "source": one.source.value,
        "score": one.score,
        "faults": [str(fault) for fault in one.faults],
        "version": one.version,
    }


def _describe(one: StoredVariant, events: list[VariantEvent]) -> dict[str, Json]:
    return {
        **_summarise(one),
        "draft": one.draft.model_dump(mode="json"),
        "brief": one.brief.model_dump(mode="json"),
        "brief_digest": one.brief_digest,
        "model": one.model,
        "prompt": one.prompt_name,
        "cost_usd": one.cost_usd,
        "created_at": one.created_at.isoformat(),
        "prior_shift": one.prior_shift,
        "prior_left": one.prior_left,
        "history": [
            {"at": e.at.isoformat(), "by": e.by, "what": e.what.value, "note": e.note}
            for e in events
        ],
    }
