"""What one run may ask and spend, and what it sends: the real SDK against the stand-in."""

import logging
import threading

import pytest

from features.errors import ConfigurationError
from serving.copywriter.claude import Claude
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Failure, Prompt, Reply, Role, WriterOutcome
from tests.e2e.greetings import (
    PROMPT,
    Greeting,
    ask_in_time,
    claude,
    must_answer,
    must_fail,
)
from tests.standin.app import KEY, Standin
from tests.standin.steps import Kind, Step

pytestmark = pytest.mark.e2e


def test_open_circuit_makes_no_request(standin: Standin) -> None:
    now = 0.0
    standin.script(Step.overloaded(), forever=True)
    settings = standin.settings(max_attempts=1, breaker_failures=3, breaker_rest_seconds=60.0)
    with Claude(settings, prices=load_prices(), clock=lambda: now) as asker:
        failed = [must_fail(asker.ask(PROMPT, deadline_seconds=5)).outcome for _ in range(3)]
        n_requests = standin.n_requests()
        held_back = [must_fail(asker.ask(PROMPT, deadline_seconds=5)) for _ in range(50)]

        assert failed == [WriterOutcome.OVERLOADED] * 3
        assert {got.outcome for got in held_back} == {WriterOutcome.CIRCUIT_OPEN}
        assert standin.n_requests() == n_requests == 3
        assert asker.spending.left_usd == settings.max_usd

        now = 61.0  # one tries, and fails: the others are held back again
        outcomes = [must_fail(asker.ask(PROMPT, deadline_seconds=5)).outcome for _ in range(3)]
        assert outcomes == [WriterOutcome.OVERLOADED, *[WriterOutcome.CIRCUIT_OPEN] * 2]
        assert standin.n_requests() == 4

        now = 122.0
        standin.script()
        assert all(isinstance(asker.ask(PROMPT, deadline_seconds=5), Reply) for _ in range(3))


def test_malformed_answers_open_the_circuit_too(standin: Standin) -> None:
    """They are paid for: an API that answers nonsense must not be paid on and on."""
    standin.script(Step.of(Kind.MALFORMED), forever=True)
    with claude(standin.settings(breaker_failures=5)) as asker:
        outcomes = [must_fail(ask_in_time(asker, 5.0)).outcome for _ in range(6)]

    assert standin.n_requests() == 5
    assert outcomes[:3] == [WriterOutcome.MALFORMED] * 3
    assert outcomes[3:] == [WriterOutcome.CIRCUIT_OPEN] * 3


def test_spending_limit_is_kept_before_the_question(standin: Standin) -> None:
    with claude(standin.settings(max_usd=0.03)) as asker:
        outcomes = [ask_in_time(asker, 5.0) for _ in range(40)]
        n_requests = standin.n_requests()

    over = [got for got in outcomes if isinstance(got, Failure)]
    assert {got.outcome for got in over} == {WriterOutcome.OVER_BUDGET}
    assert "OPPORTUNE_ANTHROPIC_MAX_USD" in over[0].detail
    assert n_requests == len(outcomes) - len(over) > 2
    assert 0.005 < asker.spending.spent_usd <= 0.03


def test_timeouts_count_against_the_limit_at_their_worst(standin: Standin) -> None:
    standin.script(Step.hang(), forever=True)
    with claude(standin.settings(max_usd=0.05, breaker_failures=99)) as asker:
        outcomes = [must_fail(ask_in_time(asker, 0.05)).outcome for _ in range(8)]

    assert outcomes[0] is WriterOutcome.TIMED_OUT
    assert outcomes[-1] is WriterOutcome.OVER_BUDGET
    assert asker.spending.spent_usd == 0 < asker.spending.unaccounted_usd <= 0.05


def test_model_without_a_price_is_refused_before_anything_is_asked(standin: Standin) -> None:
    settings = standin.settings(judge_model="claude-unheard-of")
    with pytest.raises(ConfigurationError, match="claude-unheard-of"):
        Claude(settings, prices=load_prices())


# ---------------------------------------------------------------- what is sent


def test_request_is_what_the_api_wants(standin: Standin) -> None:
    with claude(standin.settings(effort="medium", thinking="disabled")) as asker:
        must_answer(ask_in_time(asker, 5.0))
        judged = Prompt("judge/1", "", "Judge.", Greeting, max_tokens=7, role=Role.TRIAGE)
        asker.ask(judged, deadline_seconds=5)

    first, second = standin.bodies()
    assert first["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert first["output_config"]["effort"] == "medium"
    assert first["output_config"]["format"]["schema"]["additionalProperties"] is False
    assert first["thinking"] == {"type": "disabled"}
    assert (second["model"], second["max_tokens"]) == ("claude-haiku-5-5", 7)
    assert "system" not in second
    assert set(first) <= {
        *("model", "max_tokens", "messages", "output_config", "system", "thinking")
    }


def test_environment_of_the_sdk_is_not_read(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "ANTHROPIC_API_KEY": "sk-ant-of-somebody",
        "ANTHROPIC_AUTH_TOKEN": "token-of-somebody",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_CUSTOM_HEADERS": "Authorization: Bearer other\nX-Other: 1",
        "ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE": "content",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    with claude(standin.settings()) as asker:
        must_answer(ask_in_time(asker, 5.0))

    headers = standin.asked[0].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert "x-other" not in headers
    assert "traceparent" not in headers


def test_logs_hold_neither_key_nor_prompt(
    standin: Standin, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), claude(standin.settings()) as asker:
        standin.script(Step.overloaded())
        must_answer(ask_in_time(asker, 5.0))

    assert KEY not in caplog.text
    assert PROMPT.user not in caplog.text
    assert "You write short greetings" not in caplog.text


def test_threads_share_one_claude(standin: Standin) -> None:
    standin.answer_with(lambda body: {"tone": "warm", "lines": [body["messages"][0]["content"]]})
    found: dict[int, Reply[Greeting] | Failure] = {}

    def ask(n: int) -> None:
        prompt = Prompt("greeting/1", "", f"Number {n}", Greeting)
        found[n] = asker.ask(prompt, deadline_seconds=10)

    with claude(standin.settings()) as asker:
        threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [must_answer(found[n]).value.lines for n in range(12)] == [
        [f"Number {n}"] for n in range(12)
    ]
    costs = [must_answer(got).usage.cost_usd for got in found.values()]
    assert asker.spending.spent_usd == pytest.approx(sum(costs))


def test_claude_can_be_asked_again_after_it_was_closed(standin: Standin) -> None:
    asker = Claude(standin.settings(), prices=load_prices())
    for _ in range(2):
        must_answer(asker.ask(PROMPT, deadline_seconds=5))
        asker.close()
    asker.close()
