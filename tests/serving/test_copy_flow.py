"""From a brief to an arm and out again: drafted, approved, served, learned about, retired."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from features.errors import BadInputError, ConflictError, NotReadyError, SourceUnreadableError
from features.vocabulary import Arm, Channel, Outcome, Trigger
from serving.cli.main import build_app
from serving.learner.files import LearnerFiles
from serving.learner.step import take_step
from serving.policy.settings import load_policy_settings
from serving.records import Decision, DecisionRequest, OutcomeEvent
from serving.runtime import Runtime
from serving.settings import Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot
from serving.store.store import Store
from tests.serving.copywriter.writers import write_good
from tests.standin.server import Standin
from tests.standin.steps import Step
from training.bandit.policy import VariantContexts

Run = Callable[..., Any]
SMS = ("--trigger", "price_drop", "--channel", "sms")


@pytest.fixture
def run(tmp_path: Path, standin: Standin, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in a home of its own, with the stand-in's key; what it says as JSON."""
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path))
    told = standin.settings()
    assert told.api_key is not None
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_API_KEY", told.api_key.get_secret_value())
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_BASE_URL", told.base_url)
    standin.answer_with(_answer)

    def invoke(*arguments: str, status: int = 0) -> Any:
        told = [*arguments, "--json"]
        result = CliRunner().invoke(build_app(["copy"]), ["copy", *told], catch_exceptions=False)
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    return invoke


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    content = body["messages"][0]["content"]
    text = content if isinstance(content, str) else content[0]["text"]
    return write_good(json.loads(text.removeprefix("The task:\n")))


@pytest.fixture
def settings(tmp_path: Path, snapshot: Snapshot) -> Settings:
    policy = load_policy_settings().model_dump(mode="json")
    policy["arms"] = {"learned": 0.5, "random": 0.5, "rules": 0.0, "holdout": 0.0}
    policy["triggers"]["price_drop"]["cool_down_hours"] = 0
    policy["fatigue"] = {"max_per_day": 9, "max_per_week": 99, "unopened_per_week": 99}
    policy["variants"] = {"new_share": 0.5, "new_trials": 5}
    path = tmp_path / "policy.yaml"
    path.write_text(yaml.safe_dump(policy), encoding="utf-8")
    chosen = Settings(home=tmp_path, clock="caller", policy=path)
    publish_snapshot(snapshot, chosen.snapshots)
    return chosen


def decide_days(runtime: Runtime, first: datetime, *, n_days: int) -> list[Decision]:
    """Everybody's price drop on each of some days."""
    return [
        one
        for day in range(n_days)
        for one in runtime.engine().decide_many(
            [
                DecisionRequest(
                    customer_id=f"c{n:03d}",
                    trigger=Trigger.PRICE_DROP,
                    decided_at=first + timedelta(days=day),
                    idempotency_key=f"{first:%j}/{day}/{n}",
                )
                for n in range(60)
            ]
        )
    ]


def count_variants(decisions: list[Decision]) -> Counter[str]:
    return Counter(message.variant for one in decisions for message in one.messages)


@pytest.mark.slow
def test_a_draft_becomes_an_arm_is_learned_about_and_leaves(
    run: Run, settings: Settings, snapshot: Snapshot
) -> None:
    now = snapshot.as_of
    runtime = Runtime(settings, clock=lambda: now)
    assert not [v for v in count_variants(decide_days(runtime, now, n_days=1)) if "~" in v]

    report = run("draft", *SMS, "--language", "en", "--language", "ru", "--by", "Dana")
    assert (report["drafts"], report["outcomes"], report["cost_usd"] > 0) == (2, {"ok": 2}, True)
    assert run("draft", *SMS, "--language", "en", "--language", "ru")["drafted_before"] == 2
    english, russian = sorted(
        report["variants"], key=lambda one: run("show", one)["draft"]["language"]
    )
    engine = runtime.engine()
    run("approve", english, russian, "--by", "Dana", "--note", "reads well")
    assert runtime.engine() is not engine

    served = decide_days(runtime, now + timedelta(days=8), n_days=12)
    counts = count_variants(served)
    assert counts[english] > 5
    assert counts[russian] > 5
    _require_true_records(served, english, russian)
    _require_traced(run, served, english)

    _report_outcomes(runtime, served, liked={english, russian})
    learned_at = now + timedelta(days=30)
    before = _find_p(runtime, english)
    store = Store(settings.store_place)
    with LearnerFiles(settings.bandit).locked_if_free() as is_ours:
        assert is_ours
        take_step(
            LearnerFiles(settings.bandit),
            store,
            as_of=learned_at,
            policy=load_policy_settings(settings.policy),
        )
    after = _find_p(runtime, english)
    assert before < 0.5 + 1e-9  # as much as new ones get
    assert after > 0.6
    assert not runtime.engine().novices.variant_ids

    run("retire", english, "--by", "Dana", "--note", "enough")
    gone = decide_days(runtime, now + timedelta(days=40), n_days=6)
    assert count_variants(gone)[english] == 0
    assert all(english not in one.variants for one in gone)
    assert count_variants(gone)[russian] > 0
    old = next(one for one in served if one.variant == english)
    assert store.read_decision(old.decision_id) == old
    assert run("show", english)["state"] == "retired"
    store.close()


def _require_true_records(served: list[Decision], english: str, russian: str) -> None:
    """Only who may get it is told of it, and the propensity is that of the final action."""
    for one in served:
        if one.context is None or one.variant is None:
            continue
        if Channel.SMS in one.channels[:1]:
            assert (english in one.variants) == (one.context.language == "en")
            assert (russian in one.variants) == (one.context.language == "ru")
        taken = next(
            a.probability
            for a in one.allowed
            if a.channels == one.channels and a.send_at == one.send_at
        )
        assert one.propensity == pytest.approx(taken * one.variants[one.variant])
        source = "claude" if "~" in one.variant else "template"
        assert one.content is not None
        assert one.content.source == source


def _require_traced(run: Run, served: list[Decision], variant: str) -> None:
    """A message leads to the model, the prompt, the brief and whoever approved it."""
    message = next(m for one in served for m in one.messages if m.variant == variant)
    told = run("show", message.variant)
    assert (told["source"], told["model"][:6], told["prompt"]) == (
        "claude",
        "claude",
        "variants/1",
    )
    assert (told["brief"]["trigger"], told["cost_usd"] > 0) == ("price_drop", True)
    assert [(e["by"], e["what"]) for e in told["history"]] == [
        ("Dana", "added"),
        ("Dana", "approved"),
    ]


def _report_outcomes(runtime: Runtime, served: list[Decision], *, liked: set[str]) -> None:
    """Whoever gets words that are liked buys."""
    runtime.engine().report(
        [
            OutcomeEvent(
                message_id=message.message_id,
                outcome=Outcome.CONVERTED,
                at=one.send_at + timedelta(hours=3),
                value_cents=4000,
            )
            for one in served
            for message in one.messages
            if message.variant in liked and one.send_at is not None
        ]
    )


def _find_p(runtime: Runtime, variant: str) -> float:
    """The learned arm's probability of it, for somebody who reads English, by SMS."""
    engine = runtime.engine()
    writer = engine._chooser.copywriter
    variants = [
        v
        for v in writer.library.variants(Trigger.PRICE_DROP, Channel.SMS)
        if v.fits(language="en", segment=None)
    ]
    contexts = VariantContexts(
        Trigger.PRICE_DROP,
        Channel.SMS,
        languages=("en",),
        segments=(None,),
        numbers=np.full((1, 4), np.nan),
    )
    p = writer.choose_probabilities(contexts, variants, arm=Arm.LEARNED)
    return float(p[0, [v.variant_id for v in variants].index(variant)])


def test_commands_say_what_is_wrong(run: Run, standin: Standin) -> None:
    with pytest.raises(SourceUnreadableError, match="has no store yet"):
        run("list")
    report = run("draft", *SMS, "--language", "en", "--from-templates")
    assert (report["drafts"], report["cost_usd"], standin.n_requests("messages")) == (2, 0, 0)
    first, second = report["variants"]
    run("reject", first, "--by", "Dana", "--note", "dull")
    with pytest.raises(ConflictError, match="is rejected; only what is draft or retired"):
        run("approve", first, "--by", "Dana")
    with pytest.raises(BadInputError, match="segment 'vip': unknown; known: none is declared"):
        run("draft", *SMS, "--segment", "vip")
    listed = run("list", "--state", "draft")["variants"]
    assert [one["variant"] for one in listed] == [second]
    assert run("brief", *SMS, "--language", "ru")["briefs"][0]["brief"]["language"] == "ru"


def test_a_look_from_a_shell_with_another_voice_retires_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = run("draft", *SMS, "--language", "en", "--from-templates")["variants"]
    run("approve", first, second, "--by", "Dana")
    voice = tmp_path / "voice.yaml"
    voice.write_text("version: 2\n")
    monkeypatch.setenv("OPPORTUNE_VOICE", str(voice))
    reason = "drafted for version 1 of the voice, now 2"
    assert run("list")["void"] == dict.fromkeys((first, second), reason)
    said = CliRunner().invoke(build_app(["copy"]), ["copy", "list"]).stderr
    assert "settings: 2;" in said
    assert reason in said
    monkeypatch.delenv("OPPORTUNE_VOICE")
    listed = run("list", "--state", "approved")
    assert ({one["variant"] for one in listed["variants"]}, listed["void"]) == (
        {first, second},
        {},
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--from-templates", "--again"),
        ("--from-templates", "--collect", "b"),
        ("--collect", "b", "--live"),
    ],
)
def test_options_that_would_do_nothing_are_refused(run: Run, options: tuple[str, ...]) -> None:
    with pytest.raises(BadInputError, match="has no meaning with --"):
        run("draft", *SMS, *options)


def test_a_dry_run_asks_nothing_and_spends_nothing(run: Run, standin: Standin) -> None:
    told = run("draft", *SMS, "--language", "ru", "--dry-run")
    assert '"language": "ru"' in told["prompts"][0]["user"]
    assert 0 < told["estimated_usd"] < 1
    assert standin.n_requests("messages") == 0


def test_a_failing_api_ends_in_outcomes_and_the_status_says_so(run: Run, standin: Standin) -> None:
    standin.script(Step.refusal(), forever=True)
    report = run("draft", *SMS, "--language", "en", status=1)
    assert (report["outcomes"], report["drafts"]) == ({"refused": 1}, 0)
    assert run("list")["variants"] == []


def test_what_the_api_says_is_shown_as_it_stands(
    standin: Standin, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.script(Step.refusal("[/bold] [red]all"), forever=True)
    report = run("draft", *SMS, "--language", "en", status=1)
    result = CliRunner().invoke(build_app(["copy"]), ["copy", "draft", *SMS, "--language", "en"])
    assert result.exit_code == 1
    assert report["details"][0] in " ".join(result.stderr.split())


def test_a_batch_can_be_collected_after_its_process_has_died(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_ANTHROPIC_FIRST_POLL_SECONDS", "0.05")
    both = ("draft", *SMS, "--language", "en", "--language", "ru")
    result = CliRunner().invoke(build_app(["copy"]), ["copy", *both, "--batch", "--json"])
    assert json.loads(result.stdout)["outcomes"] == {"ok": 2}
    batch_id = result.stderr.split("--collect ")[1].split()[0]

    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "other"))  # as if nothing had been kept
    collected = run(*both, "--collect", batch_id)

    assert (collected["drafts"], collected["outcomes"]) == (2, {"ok": 2})
    assert run(*both)["drafted_before"] == 2


def test_without_a_key_drafting_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPPORTUNE_ANTHROPIC_API_KEY")
    with pytest.raises(NotReadyError, match="no key, so nothing can be asked"):
        run("draft", *SMS)
