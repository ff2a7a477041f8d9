"""Judging what waits in a store, and the two commands about judges and priors."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from features.errors import NotReadyError
from serving.cli.copy_judge import judge
from serving.copy.brief import Tone
from serving.copy.draft import Draft
from serving.copy.stored import Deed, Source, StoredVariant, VariantState
from serving.copywriter.judging import judge_drafts
from serving.copywriter.reply import Failure, Usage, WriterOutcome
from serving.store.store import Store
from serving.store.variants import VariantShelf
from tests.serving.copywriter.judges import (
    BRIEF,
    GOLDEN,
    PAID,
    RuleJudge,
    give,
    make_draft,
    read_shown,
)
from tests.standin.app import Standin
from tests.standin.steps import Step

AT = datetime(2026, 6, 10, 7, tzinfo=UTC)
LATER = AT + timedelta(hours=1)


def count_words(body: str) -> int:
    return min(5, len(body.split()))


def row_of(draft: Draft, *, brief_digest: str = "b1") -> StoredVariant:
    digest = blake2b(draft.body[0].facts.encode(), digest_size=5).hexdigest()
    return StoredVariant(
        variant_id=f"price_drop.sms.plain~{digest}",
        draft=draft,
        state=VariantState.DRAFT,
        faults=(),
        source=Source.HUMAN,
        model=None,
        prompt_name=None,
        brief=BRIEF,
        brief_digest=brief_digest,
        cell_key=f"cell-{brief_digest}",
        cost_usd=0.0,
        created_at=AT,
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[VariantShelf]:
    store = Store(tmp_path / "store.db")
    yield store.variants
    store.close()


def scores_of(shelf: VariantShelf) -> dict[str, float | None]:
    return {row.draft.body[0].facts: row.score for row in shelf.find()}


def test_every_draft_gets_its_score_and_the_reasons_stand_in_its_history(
    shelf: VariantShelf,
) -> None:
    first = [row_of(make_draft(words)) for words in ("one", "two two", "three three three")]
    second = [row_of(make_draft("four four four four"), brief_digest="b2")]
    shelf.add([*first, *second], by="tester")
    asker = RuleJudge(count_words)
    judged = judge_drafts(shelf, asker=asker, at=LATER, deadline_seconds=1.0)
    assert len(asker.prompts) == 2
    assert (judged.n_cells, judged.n_scored) == (2, 4)
    assert judged.outcomes == {WriterOutcome.OK: 2}
    assert judged.usage.cost_usd == pytest.approx(2 * PAID.cost_usd)
    assert list(scores_of(shelf).values()).count(None) == 0
    assert scores_of(shelf)["two two"] == 2.0
    event = shelf.history(first[1].variant_id)[-1]
    assert (event.what, event.by, event.at) == (Deed.SCORED, "judge", LATER)
    assert event.note.startswith("judge-model: empathy 2 (so)")
    assert {row.state for row in shelf.find()} == {VariantState.DRAFT}  # it approves nothing


def test_what_has_a_score_is_not_paid_again_unless_asked(shelf: VariantShelf) -> None:
    shelf.add([row_of(make_draft("one"))], by="tester")
    asker = RuleJudge(count_words)
    for _ in range(2):
        judged = judge_drafts(shelf, asker=asker, at=LATER, deadline_seconds=1.0)
    assert len(asker.prompts) == 1
    assert (judged.n_cells, judged.n_scored) == (0, 0)
    judge_drafts(shelf, asker=asker, at=LATER, deadline_seconds=1.0, again=True)
    assert len(asker.prompts) == 2
    shelf.add([row_of(make_draft("two two"))], by="tester")
    judge_drafts(shelf, asker=asker, at=LATER, deadline_seconds=1.0)
    assert '"label": "B"' in asker.prompts[-1].user  # siblings are compared, so both go


def test_cell_that_failed_stays_without_scores(shelf: VariantShelf) -> None:
    shelf.add(
        [row_of(make_draft("one")), row_of(make_draft("broken"), brief_digest="b2")], by="tester"
    )
    overloaded = Failure(WriterOutcome.OVERLOADED, "too busy", Usage(cost_usd=0.5))
    asker = RuleJudge(count_words, failure=overloaded, fails_on="broken")
    judged = judge_drafts(shelf, asker=asker, at=LATER, deadline_seconds=1.0, in_batch=True)
    assert asker.n_batches == 1
    assert scores_of(shelf) == {"one": 1.0, "broken": None}
    assert judged.outcomes == {WriterOutcome.OK: 1, WriterOutcome.OVERLOADED: 1}
    assert judged.details == ("too busy",)
    assert judged.usage.cost_usd == pytest.approx(0.5 + PAID.cost_usd)
    assert shelf.spent_usd() == pytest.approx(0.5 + PAID.cost_usd)  # booked, failed or not


def test_faulty_and_decided_variants_are_not_judged(shelf: VariantShelf) -> None:
    faulty = replace(row_of(make_draft("bad")), state=VariantState.FAULTY)
    approved = row_of(make_draft("good good"))
    shelf.add([faulty, approved], by="tester")
    shelf.approve(approved.variant_id, by="Dana", at=LATER)
    asker = RuleJudge(count_words)
    assert judge_drafts(shelf, asker=asker, at=LATER, deadline_seconds=1.0).n_cells == 0
    assert not asker.prompts


def test_more_siblings_than_fit_go_in_two_calls(shelf: VariantShelf) -> None:
    shelf.add([row_of(make_draft(f"text number {at}")) for at in range(12)], by="tester")
    asker = RuleJudge(count_words)
    judged = judge_drafts(shelf, asker=asker, at=LATER, deadline_seconds=1.0)
    assert (len(asker.prompts), judged.n_scored) == (2, 12)


# ------------------------------------------------------------ the command


def run(*arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(judge)
    done = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    return done.exit_code, done.stdout


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin: Standin) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("OPPORTUNE_HOME", str(home))
    settings = standin.settings()
    assert settings.api_key is not None
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_API_KEY", settings.api_key.get_secret_value())
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_BASE_URL", settings.base_url)
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_MAX_ATTEMPTS", "1")
    standin.answer_with(lambda body: give(_user_of(body), count_words, tone=_tone_of(body)))
    return home


def _user_of(body: dict[str, object]) -> str:
    messages = body["messages"]
    assert isinstance(messages, list)
    content = messages[0]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _tone_of(body: dict[str, object]) -> Tone:
    return Tone(read_shown(_user_of(body))["tone"])


def test_command_scores_what_waits_in_this_home(home: Path) -> None:
    store = Store(home / "store.db")
    store.variants.add([row_of(make_draft("one")), row_of(make_draft("two two"))], by="tester")
    status, out = run("--json")
    told = json.loads(out)
    assert status == 0
    assert (told["n_cells"], told["n_scored"], told["outcomes"]) == (1, 2, {"ok": 1})
    assert told["cost_usd"] > 0.0
    assert scores_of(store.variants) == {"one": 1.0, "two two": 2.0}
    store.close()
    status, out = run()
    assert status == 0
    assert "nothing to judge" in out


def test_command_fails_where_a_cell_got_no_score(home: Path, standin: Standin) -> None:
    store = Store(home / "store.db")
    store.variants.add([row_of(make_draft("one"))], by="tester")
    standin.script(Step.refusal(), forever=True)
    status, out = run()
    assert status == 1
    assert "1 refused" in out
    assert scores_of(store.variants) == {"one": None}
    store.close()


def test_command_tells_how_far_the_judge_agrees_with_people(home: Path) -> None:
    status, out = run("--golden", str(GOLDEN), "--json")
    told = json.loads(out)
    assert status == 0
    assert told["n_cells"] == 10
    assert 0.0 <= told["low"] <= told["share"] <= told["high"] <= 1.0
    status, out = run("--golden", str(GOLDEN))
    assert "of 30 pairs in 10 cells" in out


def test_command_needs_a_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPPORTUNE_ANTHROPIC_API_KEY")
    with pytest.raises(NotReadyError, match="OPPORTUNE_ANTHROPIC_API_KEY"):
        run()
