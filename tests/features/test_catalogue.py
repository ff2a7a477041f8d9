"""The committed catalogue is what the declarations say."""

from dataclasses import replace
from pathlib import Path

import pytest

from features.catalogue import BEGIN, END, describe_features, describe_histogram, renew_catalogue
from features.churn import CHURN_FEATURES
from features.declared.hours import PRESENCE
from features.engagement import ENGAGEMENT_FEATURES
from features.errors import BadInputError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "features.md"
SETS = (CHURN_FEATURES, ENGAGEMENT_FEATURES)


def test_the_committed_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    renewed = renew_catalogue(page, sets=SETS, histograms=(PRESENCE,))
    assert page == renewed, "run the command of docs/features.md"


def test_renew_catalogue_leaves_the_rest_of_the_page_alone() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    renewed = renew_catalogue(page, sets=SETS[:1])
    assert renewed == f"before\n{BEGIN}\n\n{describe_features(SETS[0])}\n{END}\nafter\n"


@pytest.mark.parametrize("page", ["", BEGIN, END, f"{END}{BEGIN}"])
def test_renew_catalogue_needs_both_markers(page: str) -> None:
    with pytest.raises(BadInputError, match="the page needs the lines"):
        renew_catalogue(page, sets=SETS)


def test_a_histogram_says_what_it_counts() -> None:
    text = describe_histogram(PRESENCE)
    assert "Counts activity, and outcomes where outcome is opened; a row weighs half as" in text
    assert "a row weighs 1." in describe_histogram(replace(PRESENCE, half_life_days=None))


def test_every_feature_is_described_in_words() -> None:
    for features in SETS:
        for feature in features.features:
            assert feature.description.endswith("."), feature.name
            assert feature.unit, feature.name
