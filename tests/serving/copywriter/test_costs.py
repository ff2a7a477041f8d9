from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from serving.benchmarks.copy_costs import bench_costs
from serving.copy.brief import Brand
from serving.copy.library import default_library
from serving.copywriter.costs import (
    CallTokens,
    LibraryPlan,
    TokenAssumptions,
    Way,
    estimate_costs,
    estimate_prompts_usd,
    find_calls_usd,
)
from serving.copywriter.measuring import measure_tokens
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Prompt
from serving.copywriter.rules import load_rules

PRICES = load_prices()
SONNET = "claude-sonnet-5-5"
PLAN = LibraryPlan()


class Answer(BaseModel):
    words: str


def estimate(plan: LibraryPlan = PLAN, model: str = SONNET):
    return estimate_costs(plan, writer=model, judge=model, prices=PRICES)


def test_calls_cost_what_the_price_list_says() -> None:
    """By hand: 1,500 in and 400 out of Sonnet are $0.003 + $0.004."""
    tokens = CallTokens(system=1_200, user=300, reply=400)

    def usd(way: Way) -> float:
        return find_calls_usd(1_000_000, tokens, way=way, model=SONNET, prices=PRICES)

    assert usd(Way.LIVE) == pytest.approx(7_000)
    assert usd(Way.BATCH) == pytest.approx(3_500)
    # A first call that writes 1,200 tokens at $2.50, the others read them at $0.10.
    cached = (1_200 * 0.10 + 300 * 2 + 400 * 10) + (1_200 * 2.4) / 1e6
    assert usd(Way.LIVE_CACHED) == pytest.approx(cached)
    assert usd(Way.BATCH_CACHED) == pytest.approx(cached / 2)


def test_library_costs_fifty_times_less_than_a_call_a_message() -> None:
    """The bar: 20 segments x 15 triggers x all channels x 3 languages x 3 variants, judged."""
    assert (PLAN.n_cells, PLAN.n_variants, PLAN.is_judged) == (4_500, 3, True)
    rows = {row.metric: row for row in bench_costs()}

    assert rows["library_ratio"].ours >= 50
    assert rows["library_ratio"].reference == 50
    assert rows["library_usd"].ratio == pytest.approx(1 / rows["library_ratio"].ours)
    assert rows["million_more_usd"].ours == 0 < rows["million_more_usd"].reference
    # The shared prompt cached is the cheapest that can still be made when a message is due.
    assert 40 < rows["library_ratio_cached"].ours < rows["library_ratio"].ours


@pytest.mark.parametrize("model", sorted(PRICES.models))
def test_library_is_cheaper_at_every_model(model: str) -> None:
    assert estimate(model=model).of(Way.LIVE).ratio > 50
    assert estimate(model=model).of(Way.BATCH_CACHED).ratio > 10


def test_a_million_more_messages_cost_nothing() -> None:
    found = estimate()

    assert found.more_messages == 1_000_000
    assert found.more_library_usd == 0.0
    # 1,000 read at $0.10, 250 at $2 and 270 out at $10, each for a million tokens.
    assert found.more_per_message_usd == pytest.approx(3_300, rel=1e-6)


def test_library_is_even_where_it_says() -> None:
    found = estimate()
    for row in found.per_message:
        at = replace(PLAN, n_messages=row.n_even)
        before = replace(PLAN, n_messages=row.n_even - 2)  # the first call of a cache costs more
        assert estimate(at).of(row.way).usd >= found.library.total
        assert estimate(before).of(row.way).usd < found.library.total


@given(
    n_segments=st.integers(1, 50),
    n_variants=st.integers(1, 10),
    redrafted_share=st.floats(0, 1),
    n_messages=st.integers(1, 10**8),
)
def test_library_costs_the_same_whatever_is_sent(
    n_segments: int, n_variants: int, redrafted_share: float, n_messages: int
) -> None:
    plan = LibraryPlan(
        n_segments=n_segments, n_variants=n_variants, redrafted_share=redrafted_share
    )
    one, many = estimate(plan), estimate(replace(plan, n_messages=n_messages))

    assert many.library == one.library
    assert estimate(replace(plan, is_judged=False)).library.judge == 0.0
    assert estimate(replace(plan, in_batch=False)).library.total > one.library.total


def test_measured_tokens_are_those_of_the_prompts_and_texts() -> None:
    def measure(voice: str) -> TokenAssumptions:
        return measure_tokens(
            rules=load_rules(),
            brand=Brand(name="Teal", voice=voice),
            offers=(),
            library=default_library(),
            today=date(2026, 11, 22),
        )

    plain, wordy = measure(""), measure("x" * 3_000)

    assert wordy.system - plain.system == pytest.approx(1_000, abs=1)
    assert replace(wordy, system=plain.system) == plain
    assert plain.message < plain.variant < plain.system  # a variant holds its text twice
    assert plain.judge_reply > 5 * 30  # five criteria or more, each with its reason


def test_prompts_cost_what_their_bytes_say() -> None:
    prompts = [Prompt("variants/1", "s" * 3_000, "u" * n, Answer) for n in (300, 900)]

    usd = estimate_prompts_usd(
        prompts, reply_tokens=1_000, model=SONNET, prices=PRICES, in_batch=False
    )

    assert usd == pytest.approx((2 * 1_000 + 100 + 300) * 2e-6 + 2_000 * 10e-6)


def test_free_models_have_no_ratio() -> None:
    free = PRICES.model_validate(
        {
            "as_of": "2026-11-22",
            "source": "ours",
            "models": {"own": {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0}},
        }
    )
    found = estimate_costs(PLAN, writer="own", judge="own", prices=free)

    assert {row.ratio for row in found.per_message} == {None}
    assert {row.n_even for row in found.per_message} == {None}
