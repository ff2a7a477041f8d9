import json
from dataclasses import replace

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
    positions = [wide.position[CELL, name] for name in arms]
    x = np.zeros((1, wide.learner.designs.arms.shape[1]))
    x[0, 0] = 1.0
    mean, sd = wide.learner.score(x, positions)
    rng = np.random.default_rng(4)
    explore = wide.learner.explore(positions)
    best = (mean + explore * sd * rng.normal(size=(n, 3))).argmax(axis=1)
    by_line = wide.learner.memories.linear.pool
    line_mean = by_line.mean[positions, 0]
    line_sd = np.sqrt(by_line.covariance[positions, 0, 0])
    is_by_line = rng.random(n) < wide.learner.p_linear
    line_best = (line_mean + line_sd * rng.normal(size=(n, 3))).argmax(axis=1)
    best = np.where(is_by_line, line_best, best)
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


def test_new_bandit_has_learned_nothing() -> None:
    assert isinstance(new_bandit(), ContextualBandit)
    assert new_bandit().version == 0


def test_every_segment_is_told_from_the_others() -> None:
    """Each of five segments has its taste; no two may share a column."""
    rng = np.random.default_rng(11)
    names = ("business", "family", "retired", "student", "worker")
    likes_warm = np.array([True, False, True, False, True])
    n = 6_000
    segment, is_warm = rng.integers(0, 5, n), rng.random(n) < 0.5
    success = rng.random(n) < np.where(is_warm == likes_warm[segment], 0.2, 0.08)
    trials = make_trials(
        [WARM if warm else CLEAR for warm in is_warm],
        success.tolist(),
        cell=CELL,
        segments=[names[at] for at in segment],
    )
    bandit = ContextualBandit.start().update(trials)
    assert bandit.segments == names
    readers = VariantContexts(
        CELL.trigger, CELL.channel, ("en",) * 6, (*names, "new"), np.full((6, 4), np.nan)
    )
    p_warm = bandit.probabilities(readers, arms=[CLEAR, WARM])[:, 1]
    assert (p_warm[:5][likes_warm] > 0.9).all()
    assert (p_warm[:5][~likes_warm] < 0.1).all()
    assert 0.02 < p_warm[5] < 0.98  # of whom nothing is known
    read = read_bandit(bandit.to_json())
    np.testing.assert_array_equal(read.probabilities(readers, arms=[CLEAR, WARM])[:, 1], p_warm)


def test_segments_that_come_later_get_columns_until_there_is_no_more_room() -> None:
    bandit = ContextualBandit.start()
    for batch in (["m"], ["z", "a", "m", None], [f"s{at:02d}" for at in range(20)]):
        n = len(batch)
        trials = make_trials([CLEAR] * n, [True] * n, cell=CELL, segments=batch)
        bandit = bandit.update(trials)
    assert bandit.segments == ("m", "a", "z", *(f"s{at:02d}" for at in range(7)))
    assert read_bandit(bandit.to_json()) == bandit


def test_state_with_hashed_segments_is_read_without_them() -> None:
    """Such a state had four columns of codes after the languages."""
    bandit = ContextualBandit.start().update(make_taste(12, n=500))
    data = json.loads(bandit.to_json())
    rows, columns = np.triu_indices(11)
    for kept in (*data["memories"], data["linear"]):
        for at, upper in enumerate(kept["precision"]):
            narrow, wide = np.zeros((7, 7)), np.full((11, 11), 0.5)
            narrow[np.triu_indices(7)] = upper
            others = [0, 1, 2, 7, 8, 9, 10]
            wide[np.ix_(others, others)] = narrow
            kept["precision"][at] = wide[rows, columns].tolist()
            kept["shift"][at] = np.insert(kept["shift"][at], 3, [9.0] * 4).tolist()
    del data["segments"]
    assert read_bandit(json.dumps(data)) == bandit


def test_state_from_before_the_linear_model_is_read_and_learns_on() -> None:
    bandit = ContextualBandit.start().update(make_taste(9))
    data = json.loads(bandit.to_json())
    del data["linear"], data["settings"]["doubt"]
    read = read_bandit(json.dumps(data))
    readers = contexts_of(CELL, language="kk")
    np.testing.assert_allclose(
        read.probabilities(readers, arms=[CLEAR, WARM]),
        bandit.probabilities(readers, arms=[CLEAR, WARM]),
        atol=1e-9,
    )
    assert read.update(make_taste(10, n=50)).version == 3_050


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
    assert scores[1] < 0.2


def test_messages_told_at_the_end_teach_nothing_before_and_are_no_delays() -> None:
    taught = ContextualBandit.start().update(make_taste(5))
    young = make_trials([CLEAR, WARM] * 50, [None] * 100, cell=CELL, age=0.9)
    closed = make_trials([CLEAR, WARM] * 50, [False, True] * 50, cell=CELL)
    silent = np.ones(100, dtype=bool)

    waiting = taught.update(replace(young, is_told_at_end=silent))
    told = taught.update(replace(closed, is_told_at_end=silent))

    before = taught.probabilities(contexts_of(CELL), arms=[CLEAR, WARM])
    np.testing.assert_array_equal(
        waiting.probabilities(contexts_of(CELL), arms=[CLEAR, WARM]), before
    )
    assert not np.array_equal(
        taught.update(young).probabilities(contexts_of(CELL), arms=[CLEAR, WARM]), before
    )
    np.testing.assert_array_equal(told.delays.successes, taught.delays.successes)
    assert told.probabilities(contexts_of(CELL), arms=[CLEAR, WARM])[0, 1] > before[0, 1]
