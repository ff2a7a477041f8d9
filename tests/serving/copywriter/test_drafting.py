from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from features.errors import BadInputError, ConfigurationError
from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brief, Offer, Tone
from serving.copy.guard.check import check_draft
from serving.copy.library import default_library
from serving.copy.settings import CopySettings
from serving.copy.stored import Source, VariantState
from serving.copy.variants import compile_line
from serving.copy.voice import read_brand
from serving.copywriter.approval import BY_RULE, approves
from serving.copywriter.briefing import CellChoice, list_briefs, make_cell_key
from serving.copywriter.drafting import Cell, Drafter, DraftingReport, plan_cells
from serving.copywriter.from_templates import draft_from_templates
from serving.copywriter.prompts import load_prompts, make_one_off_prompt, make_variants_prompt
from serving.copywriter.quotes import mask_quotes
from serving.copywriter.reply import Usage, WriterOutcome
from serving.copywriter.rules import Approval, DraftingRules, Scope, load_rules
from serving.store.store import Store
from tests.serving.copywriter.writers import (
    GOOD,
    PAID,
    RuleWriter,
    fail_with,
    read_task,
    short,
    write_good,
)
from tests.serving.stored import make_offer, make_stored
from training.bandit.beliefs import ArmPrior

NOW = datetime(2026, 6, 10, 7, tzinfo=UTC)
RULES = load_rules()
BRAND = read_brand(None, settings=CopySettings())
SMS = CellChoice([Trigger.PRICE_DROP], [Channel.SMS], ["en", "ru"])


def plan(
    choice: CellChoice = SMS, *, rules: DraftingRules = RULES, offers: Sequence[Offer] = ()
) -> tuple[Brief, ...]:
    return list_briefs(
        choice,
        rules=rules,
        brand=BRAND,
        offers=offers,
        library=default_library(),
        today=date(2026, 6, 10),
    )


def run(
    store: Store,
    writer: RuleWriter,
    *,
    rules: DraftingRules = RULES,
    in_batch: bool = True,
    again: bool = False,
    cells: tuple[Cell, ...] | None = None,
    **more: Any,
) -> DraftingReport:
    drafter = Drafter(
        writer,
        store.variants,
        library=default_library(),
        rules=rules,
        model="claude-x",
        by="test",
        **more,
    )
    return drafter.draft(
        plan_cells(plan(), model="claude-x") if cells is None else cells,
        at=NOW,
        deadline_seconds=5,
        in_batch=in_batch,
        again=again,
    )


@pytest.mark.parametrize("in_batch", [True, False])
def test_clean_drafts_wait_for_an_answer_and_keep_where_they_come_from(
    store: Store, in_batch: bool
) -> None:
    told: list[str] = []
    report = run(store, RuleWriter(), in_batch=in_batch, tell=told.append)

    assert (report.n_cells, report.n_drafts, report.n_faulty) == (2, 2, 0)
    assert report.outcomes == {WriterOutcome.OK: 2}
    assert report.usage.cost_usd == pytest.approx(2 * PAID.cost_usd)
    assert told == (["batch_1"] if in_batch else [])
    kept = store.variants.find()
    assert {one.draft.language for one in kept} == {"en", "ru"}
    for one in kept:
        assert (one.state, one.source, one.model) == (
            VariantState.DRAFT,
            Source.CLAUDE,
            "claude-x-1",
        )
        assert (one.prompt_name, one.cost_usd) == ("variants/1", PAID.cost_usd)
        assert one.brief in plan()
    assert store.variants.spent_usd() == pytest.approx(report.usage.cost_usd)


def test_a_cell_is_paid_once_unless_asked_again_or_changed(store: Store) -> None:
    first, second, third, fourth = (RuleWriter() for _ in range(4))
    run(store, first)

    assert run(store, second).n_known == 2
    assert second.prompts == []

    repeated = run(store, third, again=True)
    assert (len(third.prompts), repeated.n_drafts, repeated.n_repeated) == (2, 0, 2)

    older = BRAND.model_copy(update={"version": 2})
    changed = [brief.model_copy(update={"brand": older}) for brief in plan()]
    run(store, fourth, cells=plan_cells(changed, model="claude-x"))
    assert len(fourth.prompts) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"language": "kk"},
        {"segment": "vip"},
        {"tone": Tone.WARM},
        {"channel": Channel.PUSH},
        {"trigger": Trigger.INACTIVITY},
        {"offers": (make_offer(),)},
        {"slots": ()},
        {"max_segments": 1},
        {"notes": "They buy tea."},
        {"brand": BRAND.model_copy(update={"version": 2})},
    ],
)
def test_a_cell_key_hangs_on_all_that_a_draft_does(change: dict[str, Any]) -> None:
    brief = plan()[0]
    key = make_cell_key(brief, prompt_name="variants/1", model="m")
    assert make_cell_key(brief.model_copy(), prompt_name="variants/1", model="m") == key
    other = brief.model_copy(update=change)
    assert make_cell_key(other, prompt_name="variants/1", model="m") != key
    assert make_cell_key(brief, prompt_name="variants/2", model="m") != key
    assert make_cell_key(brief, prompt_name="variants/1", model="n") != key


def test_offers_of_another_version_make_another_key() -> None:
    one, other = (
        plan()[0].model_copy(update={"offers": (make_offer(version=version),)})
        for version in (1, 2)
    )
    keys = {make_cell_key(brief, prompt_name="variants/1", model="m") for brief in (one, other)}
    assert len(keys) == 2


def test_faulty_drafts_are_kept_and_asked_for_once_again_with_their_faults(store: Store) -> None:
    def write(task: dict[str, Any]) -> dict[str, Any]:
        if "refused" in task:
            return write_good(task)
        return short(("{greeting}{item}: only 5 left, 20% off!", "{greeting}20% off today!"))

    writer = RuleWriter(write)
    report = run(store, writer)

    assert (report.n_faulty, report.n_drafts) == (2, 2)
    assert report.outcomes == {WriterOutcome.OK: 4}
    assert report.usage.cost_usd == pytest.approx(4 * PAID.cost_usd)
    again = [read_task(prompt) for prompt in writer.prompts[2:]]
    assert all("percent" in str(task["refused"][0]["faults"]) for task in again)
    assert {one.state for one in store.variants.find()} == {
        VariantState.FAULTY,
        VariantState.DRAFT,
    }
    assert all(one.faults for one in store.variants.find(state=VariantState.FAULTY))


def test_drafts_that_stay_faulty_are_not_asked_for_for_ever(store: Store) -> None:
    writer = RuleWriter(lambda task: short((f"{len(task)} left", "20% off")))
    report = run(store, writer)
    assert len(writer.prompts) == 2 * (1 + RULES.re_asks)
    assert (report.n_drafts, store.variants.list_served()) == (0, [])


@pytest.mark.parametrize("outcome", [one for one in WriterOutcome if one is not WriterOutcome.OK])
def test_every_failure_is_counted_booked_and_tried_again_later(
    store: Store, outcome: WriterOutcome
) -> None:
    usage = Usage(input_tokens=10, cost_usd=0.25)
    report = run(store, RuleWriter(fail_with(outcome, usage)))

    assert report.outcomes == {outcome: 2}
    assert (report.n_drafts, report.n_failed) == (0, 2)
    assert report.details == [f"it was {outcome}"]
    assert store.variants.find() == []
    assert store.variants.spent_usd() == pytest.approx(0.5)
    assert run(store, RuleWriter()).n_known == 0


def test_an_answer_without_variants_is_malformed(store: Store) -> None:
    report = run(store, RuleWriter(lambda _: {"variants": []}))
    assert report.outcomes == {WriterOutcome.MALFORMED: 2}
    assert run(store, RuleWriter()).n_known == 0


def test_an_answer_brings_no_more_variants_than_wanted_and_no_angle_of_its_own(
    store: Store,
) -> None:
    many = [(f"{{greeting}}{{item}} costs less now{' so' * n}.", GOOD["en"][1]) for n in range(9)]
    report = run(store, RuleWriter(lambda _: short(*many, angle="sneaky")))
    assert report.n_drafts + report.n_faulty + report.n_repeated <= 4 * RULES.n_variants
    assert len(store.variants.find(language="en")) == RULES.n_variants
    assert {one.variant_id.split(".")[2].split("~")[0] for one in store.variants.find()} == {"free"}


def test_what_was_paid_is_kept_when_the_run_dies(store: Store) -> None:
    def write(task: dict[str, Any]) -> dict[str, Any]:
        if task["language"] == "ru":
            raise KeyboardInterrupt
        return write_good(task)

    with pytest.raises(KeyboardInterrupt):
        run(store, RuleWriter(write), in_batch=False)

    assert [one.draft.language for one in store.variants.find()] == ["en"]
    later = RuleWriter()
    run(store, later, in_batch=False)
    assert [read_task(prompt)["language"] for prompt in later.prompts] == ["ru"]


def test_beliefs_stand_in_the_rows(store: Store) -> None:
    run(store, RuleWriter(), believe=lambda one: ArmPrior(0.3, 0.8) if one.offer is None else None)
    assert {(one.prior_shift, one.prior_left) for one in store.variants.find()} == {(0.3, 0.8)}


# ---------------------------------------------------------------- who approves


def test_nothing_is_approved_by_itself_unless_configured(store: Store) -> None:
    assert run(store, RuleWriter()).n_approved == 0
    assert store.variants.list_served() == []


def test_clean_drafts_of_named_cells_are_approved_by_the_rule(store: Store) -> None:
    approval = Approval(rule="auto_if_clean", auto=(Scope(languages=("ru",)),))
    report = run(store, RuleWriter(), rules=RULES.model_copy(update={"approval": approval}))
    assert (report.n_drafts, report.n_approved) == (2, 1)
    (approved,) = store.variants.find(state=VariantState.APPROVED)
    assert approved.draft.language == "ru"
    assert store.variants.history(approved.variant_id)[-1].by == BY_RULE


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), False),
        (Scope(channels=(Channel.SMS,)), False),
        (Scope(languages=("ru",)), False),
        (Scope(languages=("kk",)), True),
        (Scope(languages=("kk",), channels=(Channel.PUSH,)), False),
    ],
)
def test_kazakh_is_approved_by_people_unless_it_is_named(scope: Scope, expected: bool) -> None:
    approval = Approval(rule="auto_if_clean", auto=(scope,))
    assert approves(approval, make_stored(language="kk")) is expected
    assert approves(Approval(), make_stored(language="kk")) is False


def test_rules_that_cannot_be_meant_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one scope"):
        Approval(rule="auto_if_clean")
    told = RULES.model_dump()
    with pytest.raises(ValueError, match="delivery_delay: service notices promise nothing"):
        DraftingRules.model_validate({**told, "offers": {"delivery_delay": "gift"}})
    with pytest.raises(ValueError, match="tones: churn_risk missing"):
        tones = {t: tone for t, tone in RULES.tones.items() if t is not Trigger.CHURN_RISK}
        DraftingRules.model_validate({**told, "tones": tones})


# ---------------------------------------------------------------- briefs and prompts


def test_briefs_hold_what_is_declared_and_refuse_the_rest() -> None:
    rules = RULES.model_copy(
        update={
            "segments": {"vip": "They order often."},
            "offers": {Trigger.PRICE_DROP: "delivery"},
        }
    )
    choice = CellChoice([Trigger.PRICE_DROP], [Channel.SMS], ["en", "kk"], ["vip"])
    english, kazakh = plan(choice, rules=rules, offers=(make_offer(),))
    assert (english.segment, english.notes) == ("vip", "They order often.")
    assert [slot.name for slot in english.slots] == ["item", "old_price_cents", "new_price_cents"]
    assert english.slots[0].room is not None
    assert english.offers == (make_offer(),)
    assert kazakh.offers == ()  # it has no words in Kazakh
    assert plan(choice, rules=rules, offers=(make_offer(valid_until="2026-06-09"),))[0].offers == ()
    assert len(plan(CellChoice())) == len(Trigger) * len(Channel) * 3
    for wrong, fault in (
        (CellChoice(languages=["fr"]), "language 'fr': unknown; known: en, kk, ru"),
        (CellChoice(segments=["a@b.kz"]), "segment 'a@b.kz': unknown; known: vip"),
    ):
        with pytest.raises(BadInputError, match=fault):
            plan(wrong, rules=rules, offers=(make_offer(),))
    with pytest.raises(BadInputError, match="offer of the drafting rules 'delivery': unknown"):
        plan(choice, rules=rules)


def test_all_cells_share_the_cached_part_and_stay_small() -> None:
    prompts = [make_variants_prompt(brief) for brief in plan(CellChoice())]
    assert len({prompt.system for prompt in prompts}) == 1
    assert max(len(prompt.user) for prompt in prompts) < 2_500
    assert set(load_prompts().variants.angles) == set(read_task(prompts[0])["angles"])


@hypothesis_settings(max_examples=25)
@given(email=st.emails(), number=st.integers(0, 10**9 - 1), customer_id=st.uuids().map(str))
def test_nothing_of_a_customer_gets_into_a_prompt(
    email: str, number: int, customer_id: str
) -> None:
    """A brief has no room for it: segments are declared beforehand, and quotes are masked."""
    phone = f"+77{number:09}"
    for told in (email, phone, customer_id):
        with pytest.raises(BadInputError, match="unknown"):
            plan(CellChoice(segments=[told]))
    for told in (email, phone):
        with pytest.raises(ValueError, match="segments"):
            DraftingRules.model_validate({**RULES.model_dump(), "segments": {told: ""}})
    brief = plan()[0]
    quote = f"I am {customer_id}, call {phone} or write to {email}"

    prompt = make_one_off_prompt(brief, matter="a late order", quotes=mask_quotes([quote]))

    for text in (prompt.system, prompt.user, make_variants_prompt(brief).user):
        assert email not in text
        assert phone not in text
        assert customer_id not in text
    assert set(Brief.model_fields) == {
        *("trigger", "channel", "language", "segment", "tone", "n_variants"),
        *("brand", "slots", "offers", "max_segments", "notes"),
    }


def test_a_voice_file_is_read_and_refused_by_name(tmp_path: Any) -> None:
    voice = tmp_path / "voice.yaml"
    voice.write_text("version: 3\nforbidden: [synergy]\nallowed_hosts: [help.example.com]\n")
    brand = read_brand(voice, settings=CopySettings(brand="Teal"))
    assert (brand.name, brand.version, brand.forbidden) == ("Teal", 3, ("synergy",))
    assert brand.allowed_hosts == ("example.com", "help.example.com")
    voice.write_text("version: 0\nname: Other\n")
    with pytest.raises(ConfigurationError, match=r"voice .*version.*name"):
        read_brand(voice, settings=CopySettings())


# ---------------------------------------------------------------- without a key


def test_templates_are_laid_out_as_drafts_that_can_be_approved() -> None:
    brief = plan()[0]
    drafts = draft_from_templates(brief, library=default_library())
    assert [draft.angle for draft in drafts] == ["clear", "warm"]
    assert drafts[0].body[0].facts.startswith("{item}: ")
    assert all(check_draft(draft, brief=brief) == () for draft in drafts)
    shipped = {
        v.cells["en"].body[0].facts
        for v in default_library().variants(Trigger.PRICE_DROP, Channel.SMS)
    }
    assert not shipped & {compile_line(draft.body[0]).facts for draft in drafts}
