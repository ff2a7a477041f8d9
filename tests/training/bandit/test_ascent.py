"""Messages that hardly ever succeed and messages that nearly always do, learned in one batch."""

import numpy as np
import pytest

from features.vocabulary import Channel, Trigger
from tests.training.bandit.conftest import contexts_of, make_trials
from training.bandit import memories
from training.bandit.contextual import ContextualBandit
from training.bandit.rewards import Cell
from training.bandit.sites import Pool

OFFER = Cell(Trigger.PRICE_DROP, Channel.EMAIL)  # a purchase is success
NOTICE = Cell(Trigger.ORDER_SHIPPED, Channel.PUSH)  # silence is success: nobody called
RATES = {
    OFFER: {"price_drop.email.clear": 0.02, "price_drop.email.warm": 0.08},
    NOTICE: {"order_shipped.push.clear": 0.98, "order_shipped.push.warm": 0.998},
}


def _after_a_day(*, n: int = 1500) -> ContextualBandit:
    rng = np.random.default_rng(4)
    bandit = ContextualBandit.start()
    for cell in (NOTICE, OFFER):
        names = rng.choice(list(RATES[cell]), n)
        wins = [bool(rng.random() < RATES[cell][name]) for name in names]
        bandit = bandit.update(make_trials(names.tolist(), wins, cell=cell))
    return bandit


def _p_of_better(bandit: ContextualBandit, cell: Cell) -> float:
    return float(bandit.probabilities(contexts_of(cell), arms=list(RATES[cell]))[0, 1])


def test_first_batch_of_near_certain_successes_is_learned() -> None:
    bandit = _after_a_day()
    assert min(_p_of_better(bandit, cell) for cell in RATES) > 0.95
    assert bandit.learner.p_linear == 0.0
    longest = bandit.learner.memories.each[0]
    assert np.abs(longest.pool.mean).max() < 9.0
    for cell, rates in RATES.items():
        x = bandit.encode(("en",), (None,), np.full((1, 4), np.nan))
        score, _ = bandit.learner.score(x, [bandit.position[cell, name] for name in rates])
        np.testing.assert_allclose(1.0 / (1.0 + np.exp(-score[0])), [*rates.values()], atol=0.03)


def test_whole_steps_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def leap(_here: Pool, there: Pool, _slope: object) -> Pool:
        return there

    monkeypatch.setattr(memories, "climb", leap)
    bandit = _after_a_day()
    assert np.abs(bandit.learner.memories.each[0].pool.mean).max() > 1e3
