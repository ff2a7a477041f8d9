"""The real SDK against a real server: every way in which the Messages API can fail has a name, is
known within the deadline, and costs what it costs.

The server is the stand-in (tests/standin). What does not need a script runs against the API too,
where OPPORTUNE_ANTHROPIC_API_KEY is set.
"""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.copywriter.claude import Claude
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Prompt, WriterOutcome
from serving.copywriter.settings import ClaudeSettings
from serving.settings import read_settings
from tests.e2e.greetings import (
    DEADLINE,
    PROMPT,
    SLACK,
    Greeting,
    ask_in_time,
    claude,
    must_answer,
    must_fail,
)
from tests.standin.app import KEY, Standin
from tests.standin.steps import Kind, Step

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Api:
    """Where a test that needs no script runs.

    Attributes:
        settings: That lead there.
        seconds: Time that an answer may take there.
    """

    settings: ClaudeSettings
    seconds: float


@pytest.fixture(params=["standin", "anthropic"])
def api(request: pytest.FixtureRequest, standin: Standin) -> Api:
    if request.param == "standin":
        return Api(standin.settings(), seconds=5.0)
    settings = read_settings().anthropic
    if not settings.has_key:
        pytest.skip("OPPORTUNE_ANTHROPIC_API_KEY is not set")
    return Api(settings.model_copy(update={"max_usd": 0.5}), seconds=60.0)


# ---------------------------------------------------------------- both


def test_answer_comes_in_its_shape_with_its_cost(api: Api) -> None:
    with claude(api.settings) as asker:
        reply = must_answer(asker.ask(PROMPT, deadline_seconds=api.seconds))

    assert reply.value.tone in {"warm", "clear"}
    assert all(reply.value.lines)
    assert reply.model == api.settings.writer_model
    assert reply.request_id
    assert reply.usage.output_tokens > 0
    assert reply.usage.cost_usd == pytest.approx(load_prices().cost(reply.usage, model=reply.model))
    assert asker.spending.spent_usd == pytest.approx(reply.usage.cost_usd)


def test_shared_part_is_read_from_the_cache(api: Api) -> None:
    prompt = Prompt("greeting/1", PROMPT.system * 4, PROMPT.user, Greeting, max_tokens=1_000)
    with claude(api.settings) as asker:
        asker.ask(prompt, deadline_seconds=api.seconds)
        again = must_answer(asker.ask(prompt, deadline_seconds=api.seconds))

    assert again.usage.cache_read_tokens > again.usage.input_tokens


def test_reply_that_is_cut_off_is_named_and_paid(api: Api) -> None:
    short = Prompt("greeting/1", "", "Write forty greetings.", Greeting, max_tokens=1)
    with claude(api.settings) as asker:
        got = must_fail(asker.ask(short, deadline_seconds=api.seconds))

    assert got.outcome is WriterOutcome.CUT_OFF
    assert got.usage.cost_usd > 0
    assert asker.spending.spent_usd == pytest.approx(got.usage.cost_usd)


def test_wrong_key_is_rejected_and_not_shown(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    key = "sk-ant-wrong-0123456789"
    settings = ClaudeSettings.model_validate(api.settings.model_dump() | {"api_key": key})
    with caplog.at_level(logging.DEBUG), claude(settings) as asker:
        got = must_fail(asker.ask(PROMPT, deadline_seconds=api.seconds))

    assert got.outcome is WriterOutcome.REJECTED
    assert "status 401" in got.detail
    assert key not in got.detail + caplog.text
    assert got.usage.cost_usd == 0


def test_deadline_that_is_too_short_is_kept(api: Api) -> None:
    with claude(api.settings) as asker:
        assert must_fail(ask_in_time(asker, 0.001)).outcome is WriterOutcome.TIMED_OUT
        assert must_fail(ask_in_time(asker, -1.0)).outcome is WriterOutcome.TIMED_OUT


def test_tokens_are_counted_for_nothing(api: Api) -> None:
    with claude(api.settings) as asker:
        n_tokens = asker.count_tokens(PROMPT, deadline_seconds=api.seconds)

    assert isinstance(n_tokens, int)
    assert 300 < n_tokens < 3_000
    assert asker.spending.spent_usd == 0


def test_batch_comes_to_an_end_for_every_question(api: Api) -> None:
    """The API may need an hour: then it is canceled in time, and that is the end."""
    told: list[str] = []
    began = time.perf_counter()
    with claude(api.settings.model_copy(update={"cancel_grace_seconds": 30.0})) as asker:
        got = asker.ask_in_batch(
            {"a": PROMPT, "b": PROMPT}, deadline_seconds=2 * api.seconds, tell=told.append
        )

    assert time.perf_counter() - began < 2 * api.seconds + SLACK
    assert len(told) == 1
    assert set(got) == {"a", "b"}
    ends = {WriterOutcome.OK, WriterOutcome.CANCELED, WriterOutcome.TIMED_OUT}
    assert {getattr(each, "outcome", WriterOutcome.OK) for each in got.values()} <= ends


# ---------------------------------------------------------------- what can go wrong

FOR_EVER = [
    (Step.rate_limited(), WriterOutcome.RATE_LIMITED, 4),
    (Step.rate_limited("3600"), WriterOutcome.RATE_LIMITED, 4),
    (Step.overloaded(), WriterOutcome.OVERLOADED, 4),
    (Step.server_error(500), WriterOutcome.SERVER_ERROR, 4),
    (Step.server_error(503), WriterOutcome.SERVER_ERROR, 4),
    (
        Step(Kind.STATUS, status=500, error="api_error", should_retry="false"),
        WriterOutcome.SERVER_ERROR,
        1,
    ),
    (Step.unauthorized(), WriterOutcome.REJECTED, 1),
    (Step.bad_request(), WriterOutcome.REJECTED, 1),
    (Step.spend_limit(), WriterOutcome.REJECTED, 1),
    (Step(Kind.STATUS, status=307, error="redirect"), WriterOutcome.REJECTED, 1),
    (Step.hang(), WriterOutcome.TIMED_OUT, 1),
    (Step.drip(), WriterOutcome.TIMED_OUT, 1),
    (Step.of(Kind.HEADER_DRIP), WriterOutcome.TIMED_OUT, 1),
    (Step.of(Kind.DROP), WriterOutcome.UNREACHABLE, 4),
    (Step.of(Kind.HTML), WriterOutcome.MALFORMED, 4),
    (Step.of(Kind.BROKEN_BODY), WriterOutcome.MALFORMED, 4),
    (Step.of(Kind.OTHER_JSON), WriterOutcome.MALFORMED, 4),
    (Step.refusal(), WriterOutcome.REFUSED, 1),
    (Step.of(Kind.MAX_TOKENS), WriterOutcome.CUT_OFF, 1),
    (Step.of(Kind.THINKING_ONLY), WriterOutcome.CUT_OFF, 1),
    (Step.of(Kind.EMPTY), WriterOutcome.MALFORMED, 2),
    (Step.of(Kind.MALFORMED), WriterOutcome.MALFORMED, 2),
    (Step.of(Kind.WRONG_SHAPE), WriterOutcome.MALFORMED, 2),
    (Step.of(Kind.TOOL_USE), WriterOutcome.MALFORMED, 1),
]
PAID = {Kind.REFUSAL, Kind.MAX_TOKENS, Kind.THINKING_ONLY, Kind.EMPTY, Kind.MALFORMED}
PAID |= {Kind.WRONG_SHAPE, Kind.TOOL_USE}


@pytest.mark.parametrize(
    ("step", "outcome", "n_requests"),
    FOR_EVER,
    ids=[f"{step.kind}-{step.status}-{outcome}-{n}" for step, outcome, n in FOR_EVER],
)
def test_failure_ends_in_its_outcome_within_the_deadline(
    step: Step, outcome: WriterOutcome, n_requests: int, standin: Standin
) -> None:
    standin.script(step, forever=True)
    # What answers at all is known long before its deadline, however loaded the machine is.
    seconds = DEADLINE if outcome is WriterOutcome.TIMED_OUT else 5.0
    with claude(standin.settings(first_wait_seconds=0.005, max_wait_seconds=0.02)) as asker:
        got = must_fail(ask_in_time(asker, seconds))

    assert got.outcome is outcome
    assert got.detail
    assert KEY not in got.detail
    assert standin.n_requests() == n_requests
    # All attempts are in the bill, and only what was answered is.
    assert (got.usage.cost_usd > 0) == (step.kind in PAID)
    assert got.usage.output_tokens >= (21 * n_requests if step.kind in PAID else 0)
    assert asker.spending.spent_usd == pytest.approx(got.usage.cost_usd)


def test_every_outcome_of_a_single_question_was_seen_here() -> None:
    """The three that no script brings about have tests of their own below; two are of batches."""
    seen = {outcome for _, outcome, _ in FOR_EVER}
    elsewhere = {
        WriterOutcome.OK,
        WriterOutcome.NO_KEY,
        WriterOutcome.CIRCUIT_OPEN,
        WriterOutcome.OVER_BUDGET,
        WriterOutcome.EXPIRED,
        WriterOutcome.CANCELED,
    }
    assert seen | elsewhere == set(WriterOutcome)
    assert not seen & elsewhere


@pytest.mark.parametrize(
    "step",
    [
        Step.rate_limited("0.05"),
        Step.overloaded(),
        Step.server_error(502),
        Step.of(Kind.DROP),
        Step.of(Kind.HTML),
        Step.of(Kind.EMPTY),
        Step.of(Kind.MALFORMED),
        Step.of(Kind.WRONG_SHAPE),
    ],
    ids=lambda step: f"{step.kind}-{step.status}",
)
def test_what_passes_is_survived(step: Step, standin: Standin) -> None:
    standin.script(step)
    with claude(standin.settings()) as asker:
        reply = must_answer(ask_in_time(asker, 2.0))

    assert standin.n_requests() == 2
    assert asker.spending.spent_usd == pytest.approx(reply.usage.cost_usd)
    n_replies = 2 if step.kind in PAID else 1
    assert reply.usage.output_tokens > 20 * n_replies


def test_second_question_says_what_was_wrong_with_the_first_answer(standin: Standin) -> None:
    standin.script(Step.of(Kind.WRONG_SHAPE))
    with claude(standin.settings()) as asker:
        must_answer(ask_in_time(asker, 2.0))

    first, second = (body["messages"][0]["content"] for body in standin.bodies())
    assert first == PROMPT.user
    assert second.startswith(PROMPT.user)
    assert "tone: Field required" in second


def test_api_that_asks_to_wait_an_hour_is_not_waited_for(standin: Standin) -> None:
    """Not even once: a wait that would outlast the deadline is not begun."""
    standin.script(Step.rate_limited("3600"), forever=True)
    with claude(standin.settings(max_wait_seconds=900.0)) as asker:
        began = time.perf_counter()
        got = must_fail(asker.ask(PROMPT, deadline_seconds=600.0))

    assert time.perf_counter() - began < SLACK
    assert got.outcome is WriterOutcome.RATE_LIMITED
    assert standin.n_requests() == 1


def test_no_network_is_named(standin: Standin) -> None:
    closed = standin.settings(base_url="http://127.0.0.1:9")  # the port of `discard`
    with claude(closed) as asker:
        got = must_fail(ask_in_time(asker, 5.0))

    assert got.outcome is WriterOutcome.UNREACHABLE
    assert "ConnectError" in got.detail
    assert asker.spending.unaccounted_usd == 0  # it never got there: nothing can be paid


def test_wrong_certificates_are_refused_before_anything_is_asked(
    standin: Standin, tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate", encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"OPPORTUNE_ANTHROPIC_CA_FILE .*ca\.pem"):
        Claude(standin.settings(ca_file=path), prices=load_prices())


def test_proxy_of_the_settings_is_gone_through(standin: Standin) -> None:
    """The stand-in is the proxy: it is asked for an address that does not exist."""
    settings = standin.settings(proxy=standin.url, base_url="http://api.invalid")
    with claude(settings) as asker:
        must_answer(ask_in_time(asker, 5.0))

    assert standin.asked[0].headers["host"] == "api.invalid"


def test_without_a_key_nothing_is_asked(standin: Standin) -> None:
    with claude(standin.settings(api_key=None)) as asker:
        got = must_fail(ask_in_time(asker))
        many = asker.ask_in_batch({"a": PROMPT}, deadline_seconds=1)
        collected = asker.collect_batch("msgbatch_1", {"a": PROMPT}, deadline_seconds=1)

    assert got.outcome is WriterOutcome.NO_KEY
    assert many == collected == {"a": got}
    assert standin.asked == []
