"""The real SDK against a real server: every way in which the Messages API can fail has a name, is
known within the deadline, and costs what it costs.

The server is the stand-in (tests/standin). What does not need a script runs against the API too,
where OPPORTUNE_ANTHROPIC_API_KEY is set.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from features.errors import ConfigurationError
from serving.copywriter.claude import Claude
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Failure, Prompt, Reply, Role, WriterOutcome
from serving.copywriter.settings import ClaudeSettings
from serving.settings import read_settings
from tests.standin.app import KEY, Standin
from tests.standin.steps import Kind, Step

pytestmark = pytest.mark.e2e

DEADLINE = 0.6
SLACK = 1.5  # of a loaded machine; what is late for a deadline is late by seconds


class Greeting(BaseModel):
    """What is asked for."""

    tone: Literal["warm", "clear"]
    lines: list[str] = Field(min_length=1)


PROMPT = Prompt(
    name="greeting/1",
    system="You write short greetings of a shop. " + "Be plain and kind. " * 200,
    user="A greeting for the first visit in spring: one line, tone warm.",
    answer=Greeting,
    max_tokens=1_000,
)


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


@contextmanager
def claude(settings: ClaudeSettings) -> Iterator[Claude]:
    with Claude(settings, prices=load_prices(), seed=1) as found:
        yield found


def ask_in_time(asker: Claude, seconds: float = DEADLINE) -> Reply[Greeting] | Failure:
    began = time.perf_counter()
    got = asker.ask(PROMPT, deadline_seconds=seconds)
    assert time.perf_counter() - began < max(0.0, seconds) + SLACK
    return got


def must_fail(got: Reply[Greeting] | Failure) -> Failure:
    assert isinstance(got, Failure), got
    return got


def must_answer(got: Reply[Greeting] | Failure) -> Reply[Greeting]:
    assert isinstance(got, Reply), got
    return got


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


# ---------------------------------------------------------------- limits


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


# ---------------------------------------------------------------- batches

MANY = {f"клетка {n}": PROMPT for n in range(7)}


def ignore(batch_id: str) -> None:
    """For tests that do not come back to a batch."""


@pytest.fixture
def ask_many(standin: Standin) -> Iterator[Callable[..., dict[str, Reply[Greeting] | Failure]]]:
    with claude(standin.settings()) as asker:

        def ask(seconds: float = 5.0, **changes: object) -> dict[str, Reply[Greeting] | Failure]:
            began = time.perf_counter()
            got = asker.ask_in_batch(MANY, deadline_seconds=seconds, tell=ignore)
            assert time.perf_counter() - began < seconds + SLACK
            return dict(got)

        yield ask


def test_batch_answers_come_back_to_their_questions(standin: Standin) -> None:
    standin.batch_polls = 3
    standin.answer_with(lambda body: {"tone": "clear", "lines": [body["messages"][0]["content"]]})
    asked = {
        f"ключ {n}": Prompt("greeting/1", "s" * 4_000, f"Number {n}", Greeting) for n in range(20)
    }
    told: list[str] = []
    with claude(standin.settings()) as asker:
        got = asker.ask_in_batch(asked, deadline_seconds=10, tell=told.append)

    lines = {key: must_answer(reply).value.lines for key, reply in got.items()}
    assert lines == {f"ключ {n}": [f"Number {n}"] for n in range(20)}
    assert len(told) == standin.n_requests("batches") == 1
    one = must_answer(got["ключ 5"]).usage
    full = load_prices().cost(one, model="claude-sonnet-5-5")
    assert one.cost_usd == pytest.approx(full / 2)
    assert asker.spending.spent_usd == pytest.approx(
        sum(reply.usage.cost_usd for reply in got.values())
    )


def test_every_item_of_a_batch_ends_in_its_outcome(
    standin: Standin, ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]]
) -> None:
    standin.script(
        Step.ok(),
        Step(Kind.ERRORED, error="overloaded_error"),
        Step(Kind.ERRORED, error="invalid_request_error"),
        Step.of(Kind.EXPIRED),
        Step.refusal(),
        Step.of(Kind.MALFORMED),
        Step.of(Kind.THINKING_ONLY),
        on="items",
    )

    got = ask_many()

    outcomes = [getattr(got[key], "outcome", WriterOutcome.OK) for key in MANY]
    assert outcomes == [
        WriterOutcome.OK,
        WriterOutcome.OVERLOADED,
        WriterOutcome.REJECTED,
        WriterOutcome.EXPIRED,
        WriterOutcome.REFUSED,
        WriterOutcome.MALFORMED,
        WriterOutcome.CUT_OFF,
    ]
    paid = [got[key].usage.cost_usd > 0 for key in MANY]
    assert paid == [True, False, False, False, True, True, True]


def test_batch_that_does_not_end_is_canceled_and_what_is_there_is_taken(
    standin: Standin, ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]]
) -> None:
    standin.batch_polls = 10**6
    standin.script(Step.of(Kind.MALFORMED), Step.refusal(), on="items")

    got = ask_many(0.8)

    outcomes = [getattr(got[key], "outcome", WriterOutcome.OK) for key in MANY]
    assert outcomes[:2] == [WriterOutcome.MALFORMED, WriterOutcome.REFUSED]
    assert set(outcomes[2:]) == {WriterOutcome.CANCELED}
    assert standin.n_requests("cancel") == 1


@pytest.mark.parametrize("on", ["poll", "results"])
@pytest.mark.parametrize(
    "step",
    [Step.server_error(), Step.of(Kind.HTML), Step.of(Kind.DROP)],
    ids=["500", "html", "drop"],
)
def test_batch_survives_failures_on_the_way(
    on: str,
    step: Step,
    standin: Standin,
    ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]],
) -> None:
    standin.script(step, step, on=on)

    assert all(isinstance(reply, Reply) for reply in ask_many().values())


@pytest.mark.parametrize(
    ("on", "step", "outcome"),
    [
        ("batches", Step.unauthorized(), WriterOutcome.REJECTED),
        ("batches", Step.overloaded(), WriterOutcome.OVERLOADED),
        ("batches", Step.rate_limited("3600"), WriterOutcome.RATE_LIMITED),
        ("batches", Step.hang(), WriterOutcome.TIMED_OUT),
        ("batches", Step.of(Kind.DROP), WriterOutcome.UNREACHABLE),
        ("batches", Step.of(Kind.OTHER_JSON), WriterOutcome.MALFORMED),
        ("poll", Step.unauthorized(), WriterOutcome.REJECTED),
        ("poll", Step.hang(), WriterOutcome.TIMED_OUT),
        ("results", Step.hang(), WriterOutcome.TIMED_OUT),
        ("results", Step.of(Kind.BROKEN_BODY), WriterOutcome.MALFORMED),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "kind", None),
)
def test_batch_that_fails_as_a_whole_fails_every_question_in_time(
    on: str,
    step: Step,
    outcome: WriterOutcome,
    standin: Standin,
    ask_many: Callable[..., dict[str, Reply[Greeting] | Failure]],
) -> None:
    standin.script(step, forever=True, on=on)

    is_told_at_once = outcome is not WriterOutcome.TIMED_OUT and on != "results"
    got = ask_many(5.0 if is_told_at_once else 0.8)

    assert {must_fail(reply).outcome for reply in got.values()} == {outcome}
    # What may have been made is not made twice: it would be paid twice.
    if step.kind in {Kind.HANG, Kind.DROP, Kind.OTHER_JSON}:
        assert standin.n_requests("batches") == 1


def test_batch_of_a_process_that_died_is_collected(standin: Standin) -> None:
    standin.batch_polls = 5

    class DiedError(Exception):
        pass

    told: list[str] = []

    def die(batch_id: str) -> None:
        told.append(batch_id)
        raise DiedError

    with claude(standin.settings()) as asker, pytest.raises(DiedError):
        asker.ask_in_batch(MANY, deadline_seconds=5, tell=die)
    with claude(standin.settings()) as asker:
        got = asker.collect_batch(told[0], MANY, deadline_seconds=5)
        other = asker.collect_batch(told[0], {"another": PROMPT}, deadline_seconds=5)
        none = asker.collect_batch("msgbatch_none", MANY, deadline_seconds=5)

    assert all(isinstance(reply, Reply) for reply in got.values())
    assert standin.n_requests("batches") == 1
    assert must_fail(other["another"]).outcome is WriterOutcome.MALFORMED
    assert {must_fail(reply).outcome for reply in none.values()} == {WriterOutcome.REJECTED}


def test_batches_go_in_waves_within_the_limit(standin: Standin) -> None:
    """At worst a question costs several times what it does: the rest bears the next ones."""
    asked = {str(n): PROMPT for n in range(30)}
    with claude(standin.settings(max_usd=0.1)) as asker:
        got = asker.ask_in_batch(asked, deadline_seconds=10)

    outcomes = [getattr(reply, "outcome", WriterOutcome.OK) for reply in got.values()]
    assert set(outcomes) == {WriterOutcome.OK}
    assert standin.n_requests("batches") > 1
    assert 0 < asker.spending.spent_usd <= 0.1


def test_batch_beyond_the_limit_is_not_made(standin: Standin) -> None:
    with claude(standin.settings(max_usd=0.001)) as asker:
        got = asker.ask_in_batch(MANY, deadline_seconds=5)

    assert {must_fail(reply).outcome for reply in got.values()} == {WriterOutcome.OVER_BUDGET}
    assert standin.asked == []


def test_batch_of_nothing_is_nothing(standin: Standin) -> None:
    with claude(standin.settings()) as asker:
        assert asker.ask_in_batch({}, deadline_seconds=5) == {}
    assert standin.asked == []
