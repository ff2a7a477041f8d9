from dataclasses import replace

import numpy as np

from features.vocabulary import Channel, Trigger
from tests.training.bandit.conftest import make_trials
from training.bandit.rewards import Cell
from training.variant_prior.from_trials import FEWEST_SENT, collect_finished_tests

CELL = Cell(Trigger.PRICE_DROP, Channel.SMS)
WORDS = {
    "a": {"en": "Price drop", "ru": "Цена снизилась"},
    "b": {"en": "Now cheaper", "ru": "Стало дешевле"},
}
MONTH_US = 31 * 86_400 * 1_000_000


def test_successes_are_counted_by_cell_language_and_month() -> None:
    names = ["a", "b"] * 100
    languages = ["en"] * 120 + ["ru"] * 80
    success = [at % 5 == 0 for at in range(200)]
    trials = make_trials(names, success, cell=CELL, languages=languages)
    tests = collect_finished_tests(trials, words=WORDS)
    assert tests.n_tests == 2
    assert set(tests.languages) == {"en", "ru"}
    assert tests.n_shown.sum() == 200
    assert tests.n_clicked.sum() == 40
    later = replace(trials, sent_at_us=trials.sent_at_us + MONTH_US * (np.arange(200) % 4 >= 2))
    assert {str(name) for name in collect_finished_tests(later, words=WORDS).tests} == {
        "price_drop.sms.1970-01|en",
        "price_drop.sms.1970-02|en",
    }  # forty Russian messages a variant would be enough, twenty are not


def test_open_windows_unknown_words_and_few_sends_are_left_out() -> None:
    names = ["a", "b", "gone"] * 60
    young = make_trials(names, [False] * 180, cell=CELL, age=0.5)
    assert len(collect_finished_tests(young, words=WORDS)) == 0
    old = make_trials(names, [False] * 180, cell=CELL)
    assert collect_finished_tests(old, words=WORDS).texts == ("Now cheaper", "Price drop")
    few = make_trials(["a", "b"] * (FEWEST_SENT - 1), [False] * 2 * (FEWEST_SENT - 1), cell=CELL)
    assert len(collect_finished_tests(few, words=WORDS)) == 0
