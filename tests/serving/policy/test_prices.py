"""Prices of budgets: the batch uses what is left, and those who bring most get it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.vocabulary import Channel, Trigger
from serving.policy.actions import propose_actions
from serving.policy.budgets import MICRO, Budget, BudgetPeriod, BudgetUnit, Headroom
from serving.policy.cases import Cases, Floats
from serving.policy.prices import Drawing, find_left, find_needs, find_prices, take_prices
from serving.policy.settings import CHANNELS, PolicySettings

N = 60
TRIGGER = Trigger.ABANDONED_CART
SMS = CHANNELS.index(Channel.SMS)
COSTS = {Channel.EMAIL: 0.1, Channel.SMS: 4.0, Channel.PUSH: 0.02}

Drawer = Callable[[Headroom], Drawing]


def budget(unit: BudgetUnit, limit: float, *channels: Channel) -> Budget:
    return Budget(
        name=f"{unit}-{limit}", unit=unit, limit=limit, per=BudgetPeriod.CAMPAIGN, channels=channels
    )


@pytest.fixture(scope="module")
def many(one_case: Callable[..., Cases]) -> Cases:
    """Sixty customers with the same cart."""
    one = one_case(TRIGGER)
    return replace(
        one,
        customer_ids=tuple(f"c{row}" for row in range(N)),
        decided_at_us=np.repeat(one.decided_at_us, N),
        timezones=one.timezones * N,
        segments=one.segments * N,
        languages=one.languages * N,
        **{
            name: np.repeat(getattr(one, name), N, axis=0)
            for name in (
                *("consent", "known", "scored", "suppressed", "nine_is_active"),
                *("engagement", "week_counts"),
            )
        },
    )


@pytest.fixture(scope="module")
def draw_on(many: Cases, settings: PolicySettings) -> Drawer:
    """How they draw on budgets: all learned, values between -5 and 20 cents by customer."""
    grid = propose_actions(many, settings=settings)
    rng = np.random.default_rng(4)
    net = rng.uniform(-5, 20, N)[:, None, None] - rng.uniform(0, 3, grid.allowed.shape)
    cents = np.array([[COSTS.get(channel, 0.0) for channel in CHANNELS]] * N)

    def draw(headroom: Headroom) -> Drawing:
        return Drawing(
            net=net,
            grid=grid,
            unsure=np.full(N, 5.0),
            is_learned=np.ones(N, dtype=bool),
            otherwise=np.zeros((N, grid.n_actions)),
            needs=find_needs(
                many, grid, rule=settings.triggers[TRIGGER], cents=cents, headroom=headroom
            ),
        )

    return draw


def price(
    draw_on: Drawer,
    settings: PolicySettings,
    *budgets: Budget,
    spent: Mapping[str, int] | None = None,
) -> tuple[dict[str, float], dict[str, float], dict[str, float]]:
    """Prices, the use expected under them, and what was left."""
    headroom = Headroom(budgets, spent or {})
    drawing = draw_on(headroom)
    left = find_left(headroom, sorted(drawing.needs))
    prices = find_prices([drawing], left=left, learned=settings.learned)
    return prices, drawing.expect_use(prices, learned=settings.learned), left


def test_find_prices_asks_nothing_where_enough_is_left(
    draw_on: Drawer, settings: PolicySettings
) -> None:
    prices, _, _ = price(draw_on, settings, budget(BudgetUnit.CONTACTS, 1000))
    assert prices == {}


@pytest.mark.parametrize("unit", list(BudgetUnit))
def test_find_prices_uses_what_is_left_in_expectation(
    unit: BudgetUnit, draw_on: Drawer, settings: PolicySettings
) -> None:
    prices, use, left = price(draw_on, settings, budget(unit, 20))
    (account,) = left
    assert prices[account] > 0
    assert use[account] == pytest.approx(left[account], rel=1e-3)


def test_find_prices_counts_what_is_spent_already(
    draw_on: Drawer, settings: PolicySettings
) -> None:
    one = budget(BudgetUnit.CONTACTS, 30)
    prices, use, left = price(draw_on, settings, one, spent={f"{one.name}/campaign": 18 * MICRO})
    assert left == {f"{one.name}/campaign": 12.0}
    assert sum(use.values()) == pytest.approx(12.0, rel=1e-3)
    assert prices.keys() == left.keys()


def test_find_prices_keeps_several_budgets_at_once(
    draw_on: Drawer, settings: PolicySettings
) -> None:
    contacts, texts = budget(BudgetUnit.CONTACTS, 25), budget(BudgetUnit.CENTS, 12, Channel.SMS)
    prices, use, left = price(draw_on, settings, contacts, texts)
    for account, units in left.items():
        assert use[account] <= units * 1.05
        assert prices[account] > 0


def test_find_prices_gives_the_budget_to_those_who_bring_most(
    draw_on: Drawer, settings: PolicySettings
) -> None:
    """Cutting the list gives it to whoever comes first, and brings less."""
    headroom = Headroom((budget(BudgetUnit.CONTACTS, 15),))
    drawing = draw_on(headroom)
    left = find_left(headroom, sorted(drawing.needs))
    prices = find_prices([drawing], left=left, learned=settings.learned)
    best = drawing.net.reshape(N, -1).max(axis=1)
    priced = take_prices(drawing.net, drawing.needs, prices=prices).reshape(N, -1).max(axis=1)
    chosen = priced > 0
    cut = np.flatnonzero(best > 0)[:15]
    assert 10 <= chosen.sum() <= 20
    assert best[chosen].min() > np.delete(best, np.flatnonzero(chosen)).max()
    assert best[chosen].mean() > 1.3 * best[cut].mean()


@given(limit=st.floats(1.0, 80.0), seed=st.integers(0, 10))
def test_expected_use_falls_as_the_price_rises(
    limit: float, seed: int, draw_on: Drawer, settings: PolicySettings
) -> None:
    drawing = draw_on(Headroom((budget(BudgetUnit.CONTACTS, limit),)))
    (account,) = drawing.needs
    rising: Floats = np.sort(np.random.default_rng(seed).uniform(0, 30, 4))
    uses = [drawing.expect_use({account: p}, learned=settings.learned)[account] for p in rising]
    assert all(earlier >= later - 1e-9 for earlier, later in pairwise(uses))


@pytest.mark.parametrize("limit", [3, 6, 12])
def test_find_prices_prices_the_days_to_which_messages_are_moved(
    limit: float, draw_on: Drawer, settings: PolicySettings
) -> None:
    """A price on the first day makes messages wait for the next, which is then short as well."""
    per_day = Budget(name="d", unit=BudgetUnit.CONTACTS, limit=limit, per=BudgetPeriod.DAY)
    prices, use, left = price(draw_on, settings, per_day)
    first, *others = sorted(left)
    assert len(others) > 1
    drawing = draw_on(Headroom((per_day,)))
    moved = drawing.expect_use({first: prices[first]}, learned=settings.learned)
    assert moved[first] < limit  # on its own, that price is too much ...
    assert all(moved[account] > 1.2 * limit for account in others)  # ... and others are short
    assert prices.keys() == left.keys()
    assert use == pytest.approx(left, rel=0.02)
