import json

import numpy as np
import pytest

from features.errors import BadInputError
from training.evaluation import Estimate
from training.variant_prior.describing import N_COLUMNS, describe_texts
from training.variant_prior.prior import Skill, VariantPrior


def make_prior(weights: np.ndarray | None = None) -> VariantPrior:
    rng = np.random.default_rng(1)
    return VariantPrior(
        languages=("en", "ru"),
        weights=rng.normal(size=N_COLUMNS) * 0.3 if weights is None else weights,
        left=0.9,
        rate=0.02,
        spread=0.1,
        skill=Skill(Estimate(0.6, 0.58, 0.62), explained=0.1, n_tests=100, n_texts=400),
    )


def test_siblings_are_believed_in_relative_to_each_other() -> None:
    prior = make_prior()
    beliefs = prior.believe(["One text", "Another text?", "A third!"], language="en")
    assert beliefs is not None
    assert sum(belief.shift for belief in beliefs) == pytest.approx(0.0, abs=1e-9)
    assert {belief.left for belief in beliefs} == {0.9}
    scores = prior.score(["One text", "Another text?", "A third!"])
    assert np.argmax(scores) == np.argmax([belief.shift for belief in beliefs])
    assert prior.believe([], language="en") == ()
    alone = prior.believe(["Alone"], language="en")
    assert alone is not None
    assert alone[0].shift == 0.0


def test_language_that_was_not_learned_is_not_spoken_of() -> None:
    assert make_prior().believe(["Баға төмендеді", "Бағасы арзандады"], language="kk") is None


def test_no_text_alone_speaks_for_more_than_it_may() -> None:
    prior = make_prior(np.full(N_COLUMNS, 100.0))
    beliefs = prior.believe(["a", "A much longer text, with many words"], language="en")
    assert beliefs is not None
    assert max(abs(belief.shift) for belief in beliefs) == 1.0


def test_state_survives_json() -> None:
    prior = make_prior()
    read = VariantPrior.from_json(prior.to_json())
    assert read.to_json() == prior.to_json()
    texts = ["Цена снизилась", "Price drop", ""]
    np.testing.assert_allclose(read.score(texts), prior.score(texts), atol=1e-5)
    assert read.skill == prior.skill


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": "other"}, "format"),
        ({"weights": "AAAA"}, f"weights of 3 bytes, expected {4 * N_COLUMNS}"),
        ({"weights": "?"}, "weights"),
        ({"left": 0.0}, "left"),
        ({"languages": []}, "languages"),
        ({"more": 1}, "more"),
    ],
)
def test_other_texts_are_refused(change: dict[str, object], complaint: str) -> None:
    state = json.loads(make_prior().to_json()) | change
    with pytest.raises(BadInputError, match=complaint):
        VariantPrior.from_json(json.dumps(state))


def test_weights_that_are_no_numbers_are_refused() -> None:
    text = make_prior(np.full(N_COLUMNS, np.nan)).to_json()
    with pytest.raises(BadInputError, match="no finite numbers"):
        VariantPrior.from_json(text)


def test_descriptions_hold_the_words_whatever_the_language() -> None:
    described = describe_texts(["Цена снизилась", "цена снизилась", "Баға төмендеді", ""])
    assert described.shape == (4, N_COLUMNS)
    dense = described.toarray()
    assert np.isfinite(dense).all()
    n_counts = 10
    np.testing.assert_array_equal(dense[0, :-n_counts], dense[1, :-n_counts])  # case is a count
    assert (dense[0] != dense[1]).any()
    assert np.abs(dense[0, :-n_counts] - dense[2, :-n_counts]).sum() > 1.0
    assert not dense[3, :-n_counts].any()
