import json

import numpy as np
import pytest
from scipy import stats

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from tests.training.bandit.conftest import contexts_of, make_trials
from training.bandit.contextual import ContextualBandit
from training.bandit.files import new_bandit, read_bandit
from training.bandit.normal_best import draw_arms
from training.bandit.policy import VariantContexts
from training.bandit.rewards import Cell, Trials
from training.bandit.state import BanditState
from training.bandit.thompson import ThompsonSampling

CELL = Cell(Trigger.PRICE_DROP, Channel.EMAIL)
CLEAR, WARM = "price_drop.email.clear", "price_drop.email.warm"


def make_taste(seed: int, n: int = 3_000) -> Trials:
    """The warm words work better, but for readers of Kazakh only."""
    rng = np.random.default_rng(seed)
    is_warm, is_kazakh = rng.random(n) < 0.5, rng.random(n) < 0.5
    rates = np.where(is_kazakh, np.where(is_warm, 0.3, 0.1), np.where(is_warm, 0.1, 0.2))
    return make_trials(
        [WARM if warm else CLEAR for warm in is_warm],
        (rng.random(n) < rates).tolist(),
        cell=CELL,
        languages=["kk" if kazakh else "en" for kazakh in is_kazakh],
    )


def test_each_reader_gets_the_words_that_work_with_them() -> None:
    bandit = ContextualBandit.start().update(make_taste(1))
    kazakh = bandit.probabilities(contexts_of(CELL, language="kk"), arms=[CLEAR, WARM])[0]
    english = bandit.probabilities(contexts_of(CELL), arms=[CLEAR, WARM])[0]
    assert kazakh[1] > 0.95
    assert english[0] > 0.95
    assert min(kazakh.min(), english.min()) >= bandit.learner.settings.floor / 2 - 1e-9


def test_style_that_worked_elsewhere_is_tried_first_on_a_new_channel() -> None:
    bandit = ContextualBandit.start().update(make_taste(2))
    cell = Cell(Trigger.PRICE_DROP, Channel.SMS)
    arms = ["price_drop.sms.clear", "price_drop.sms.warm"]
    p = bandit.probabilities(contexts_of(cell, language="kk"), arms=arms)[0]
    assert 0.55 < p[1] < 0.99
    even = ContextualBandit.start().probabilities(contexts_of(cell, language="kk"), arms=arms)[0]
    np.testing.assert_allclose(even, 0.5, atol=1e-6)


def test_probabilities_are_the_frequencies_of_drawing_scores() -> None:
    bandit = ContextualBandit.start().update(make_taste(3, n=150))
    arms, n = [CLEAR, WARM, "price_drop.email.new"], 200_000
    p = bandit.probabilities(contexts_of(CELL), arms=arms)[0]
    wide = bandit.with_arms([(CELL, name) for name in arms])
    x = np.zeros((1, wide.learner.designs.arms.shape[1]))
    x[0, 0] = 1.0
    mean, sd = wide.learner.score(x, [wide.position[CELL, name] for name in arms])
    rng = np.random.default_rng(4)
    best = (mean + 0.5 * sd * rng.normal(size=(n, 3))).argmax(axis=1)
    drawn = np.where(rng.random(n) < wide.learner.settings.floor, rng.integers(3, size=n), best)
    observed = np.bincount(drawn, minlength=3)
    assert stats.chisquare(observed, p / p.sum() * n).pvalue > 0.001
    chosen = draw_arms(np.tile(p, (n, 1)), u=rng.random(n))
    assert stats.chisquare(np.bincount(chosen, minlength=3), p / p.sum() * n).pvalue > 0.001


def test_state_survives_json_to_the_last_bit_and_learns_on_alike() -> None:
    bandit = ContextualBandit.start().update(make_taste(5))
    text = bandit.to_json()
    read = read_bandit(text)
    assert isinstance(read, ContextualBandit)
    assert read == bandit
    assert read.to_json() == text
    assert read.version == 3_000
    more = make_taste(6, n=500)
    assert read.update(more).to_json() == bandit.update(more).to_json()
    again = ContextualBandit.start().update(make_taste(5))
    assert again.to_json() == text


def test_new_bandit_is_the_contextual_one_and_old_states_are_read() -> None:
    assert isinstance(new_bandit(), ContextualBandit)
    assert new_bandit().version == 0
    assert read_bandit(BanditState().to_json()) == ThompsonSampling()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"layout": "other"}, "contexts 'other'"),
        ({"format": "opportune.bandit/9"}, "format"),
        ({"memories": [{"length": None}]}, r"memories\.0"),
        ({"successes": [1.0]}, "56 steps"),
        ({"arms": []}, "state of a bandit|variants"),
    ],
)
def test_state_refuses_text_it_did_not_write(change: dict[str, object], complaint: str) -> None:
    data = json.loads(ContextualBandit.start().update(make_taste(7, n=50)).to_json())
    with pytest.raises(BadInputError, match=complaint):
        read_bandit(json.dumps({**data, **change}))


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(BadInputError, match="not the state"):
        read_bandit("{")


def test_forbidden_variants_of_a_row_get_nothing() -> None:
    bandit = ContextualBandit.start().update(make_taste(8))
    allowed = np.array([[True, False], [False, True], [True, True]])
    p = bandit.probabilities(contexts_of(CELL, 3), arms=[CLEAR, WARM], allowed=allowed)
    assert p[0].tolist() == [1.0, 0.0]
    assert p[1].tolist() == [0.0, 1.0]
    assert (p[2] > 0.0).all()


@pytest.mark.parametrize("arms", [[], ["a", "a"]])
def test_probabilities_refuse_no_choice_and_a_repeated_one(arms: list[str]) -> None:
    with pytest.raises(BadInputError, match="at least one and distinct"):
        new_bandit().probabilities(contexts_of(CELL), arms=arms)


def test_contexts_of_other_numbers_are_refused() -> None:
    short = VariantContexts(CELL.trigger, CELL.channel, ("en",), (None,), np.zeros((1, 2)))
    with pytest.raises(BadInputError, match="2 numbers, expected 4"):
        new_bandit().probabilities(short, arms=["a"])
    with pytest.raises(BadInputError, match="1 languages, 2 segments"):
        VariantContexts(CELL.trigger, CELL.channel, ("en",), (None, None), np.zeros((1, 4)))


def test_undecided_messages_count_for_what_their_silence_says() -> None:
    """Silence shortly after sending says next to nothing, late in the window nearly everything."""
    scores = []
    for age in (0.01, 0.95):
        silent = make_trials(["a"] * 400, [None] * 400, cell=CELL, age=age)
        bandit = ContextualBandit.start().update(silent)
        p = bandit.probabilities(contexts_of(CELL), arms=["a", "b"])[0]
        scores.append(float(p[0]))
    assert scores[0] > 0.3
    assert scores[1] < 0.15
