"""The page about playbooks."""

import numpy as np

from serving.evaluate.playbooks import WORDS, make_playbook_page
from serving.playbooks.measures import Measure, measure_playbooks
from tests.serving.playbooks.test_measures import draw_company, make_outcomes


def test_page_says_what_was_achieved_and_what_cannot_be_told() -> None:
    outcomes = draw_company(1, effect=0.4, n=600)
    outcomes.cohorts["tier"][:5] = "critical"
    found = measure_playbooks(outcomes, rng=np.random.default_rng(0))
    page = make_playbook_page(found, outcomes).to_html()
    assert "learned against holdout" in page
    assert "600 cases whose 60 days are over" in page
    assert "Too few cases to tell: tier critical" in page
    assert set(WORDS) == set(Measure)
    assert page.count("data:image/svg") == 2


def test_page_of_too_few_cases_says_so() -> None:
    outcomes = make_outcomes(np.array(["learned"] * 3), np.ones(3, dtype=bool))
    found = measure_playbooks(outcomes, rng=np.random.default_rng(0))
    page = make_playbook_page(found, outcomes).to_html()
    assert "cannot be told yet" in page
    assert "data:image/svg" not in page
