import importlib
from datetime import timedelta

import numpy as np
import pytest

from features.errors import ConfigurationError
from training.boosting import BoosterSettings
from training.datasets.provenance import NotEnoughData
from training.evaluation import Estimate
from training.registry.servable import FeatureSignature
from training.search import SearchBudget, SearchResult, SearchRows, Trial, search_settings

SIGNATURE = FeatureSignature(("signal", "noise"), "digest")


def draw(n: int = 3_000, *, base: float = -1.0) -> SearchRows:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(n, 2))
    days = np.sort(rng.integers(0, 200, n))
    return SearchRows(
        X=X,
        labels=rng.random(n) < 1 / (1 + np.exp(-(base + X[:, 0]))),
        customers=np.array([f"c{i % 500}" for i in range(n)], dtype=object),
        moments=np.datetime64("2026-01-01", "us") + days * np.timedelta64(1, "D"),
        label_span=timedelta(days=10),
    )


def test_search_tries_the_usual_settings_first_and_judges_the_best_on_later_rows() -> None:
    pytest.importorskip("optuna")
    result = search_settings(draw(), signature=SIGNATURE, budget=SearchBudget(3), seed=1)
    assert isinstance(result, SearchResult)
    assert len(result.trials) == 3
    assert result.trials[0].settings == result.usual == BoosterSettings()
    assert len({trial.settings for trial in result.trials}) == 3
    assert result.best.log_loss == min(trial.log_loss for trial in result.trials)
    assert result.gain.low <= result.gain.value <= result.gain.high
    assert 400 < result.n_later < 800
    again = search_settings(draw(), signature=SIGNATURE, budget=SearchBudget(3), seed=1)
    assert again == result


def test_search_ends_when_its_time_is_over() -> None:
    pytest.importorskip("optuna")
    result = search_settings(
        draw(600), signature=SIGNATURE, budget=SearchBudget(500, seconds=1e-6), seed=1
    )
    assert isinstance(result, SearchResult)
    assert len(result.trials) == 1
    assert result.gain.value == 0.0
    assert not result.is_better


@pytest.mark.parametrize(("high", "taken"), [(-0.001, True), (0.001, False)])
def test_search_takes_what_it_found_only_where_later_rows_agree(high: float, taken: bool) -> None:
    found = BoosterSettings(num_leaves=31)
    trials = (Trial(BoosterSettings(), 0.5), Trial(found, 0.4))
    result = SearchResult(BoosterSettings(), trials, Estimate(-0.01, -0.02, high), 100)
    assert result.settings == (found if taken else BoosterSettings())
    said = "the best of 1 other settings is " + ("taken" if taken else "not taken")
    assert result.words.startswith(f"{said}: -0.0100 nats beside the usual ones on 100 later rows")

    described = result.describe()
    assert described["search_taken"] == str(taken).lower()
    assert described["search_best_num_leaves"] == 31
    assert described["search_trials"] == 2


@pytest.mark.parametrize(
    ("n_others", "words"), [(3, "none of 3 others was better"), (0, "no other was tried")]
)
def test_search_that_found_nothing_better_says_so_without_a_figure(
    n_others: int, words: str
) -> None:
    others = (Trial(BoosterSettings(num_leaves=31 + n), 0.5) for n in range(n_others))
    trials = (Trial(BoosterSettings(), 0.4), *others)
    result = SearchResult(BoosterSettings(), trials, Estimate(0.0, 0.0, 0.0), 100)
    assert result.words == f"the usual settings stay: {words}"


def test_search_says_what_is_missing_in_the_rows() -> None:
    result = search_settings(draw(base=-40.0), signature=SIGNATURE, budget=SearchBudget(3), seed=1)
    assert isinstance(result, NotEnoughData)
    assert "0 of" in result.reason


def test_search_without_optuna_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(ConfigurationError, match="opportune\\[search\\]"):
        search_settings(draw(600), signature=SIGNATURE, budget=SearchBudget(3), seed=1)


@pytest.mark.parametrize(("n_trials", "seconds"), [(0, 10.0), (3, 0.0), (3, float("nan"))])
def test_search_refuses_a_budget_without_an_end(n_trials: int, seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="at least one trial"):
        SearchBudget(n_trials, seconds=seconds)
