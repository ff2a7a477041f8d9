import numpy as np
import pytest

from features.errors import BadInputError
from training.variant_prior.finished import FinishedTests


def collect(rows: list[tuple[str, str, str, int, int]]) -> FinishedTests:
    tests, languages, texts, shown, clicked = zip(*rows, strict=True)
    return FinishedTests.collect(
        tests,
        texts=texts,
        languages=languages,
        n_shown=np.array(shown),
        n_clicked=np.array(clicked),
    )


def test_same_words_in_a_test_are_one_wording_and_one_alone_is_no_test() -> None:
    tests = collect(
        [
            ("t1", "en", "Hello", 100, 3),
            ("t1", "en", "Hello", 50, 2),
            ("t1", "en", "Bye", 80, 1),
            ("t2", "en", "Alone", 80, 1),
            ("t3", "en", "Hello", 80, 1),
            ("t3", "ru", "Привет", 80, 1),
        ]
    )
    assert tests.texts == ("Bye", "Hello")
    assert tests.n_shown.tolist() == [80, 150]
    assert tests.n_clicked.tolist() == [1, 5]
    assert tests.n_tests == 1
    assert tests.rate == pytest.approx(6.5 / 231)


def test_log_odds_and_their_variance_are_haldanes() -> None:
    tests = collect([("t", "en", "a", 100, 0), ("t", "en", "b", 100, 20)])
    assert tests.log_odds.tolist() == pytest.approx([np.log(0.5 / 100.5), np.log(20.5 / 80.5)])
    assert tests.sampling_variance.tolist() == pytest.approx([2.0 + 1 / 100.5, 1 / 20.5 + 1 / 80.5])


def test_take_keeps_rows_together() -> None:
    tests = collect(
        [
            ("a", "en", "x", 10, 1),
            ("a", "en", "y", 20, 2),
            ("b", "en", "x", 30, 3),
            ("b", "en", "z", 9, 0),
        ]
    )
    taken = tests.take(tests.tests == "b|en")
    assert taken.texts == ("x", "z")
    assert taken.n_shown.tolist() == [30, 9]


@pytest.mark.parametrize(("shown", "clicked"), [(0, 0), (5, 6), (5, -1)])
def test_impossible_counts_are_refused(shown: int, clicked: int) -> None:
    with pytest.raises(BadInputError, match=f"{clicked} of {shown}"):
        collect([("t", "en", "a", shown, clicked), ("t", "en", "b", 10, 1)])


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"columns of \[1, 2\]"):
        FinishedTests(
            np.array(["t", "t"], dtype=object),
            ("a",),
            ("en", "en"),
            np.ones(2, int),
            np.zeros(2, int),
        )
