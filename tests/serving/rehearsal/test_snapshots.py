"""The rows of the customers in question give the same numbers as the whole tables."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from features.churn import CHURN_FEATURES
from features.declarations import FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build_features, count_hours_of_week, make_spine
from features.tables import Tables, rows_about
from training.world.simulated import SimulatedWorld

Numbers = npt.NDArray[np.float64]
Describe = Callable[[Tables, pd.DataFrame], Numbers]


def _features(features: FeatureSet) -> Describe:
    def describe(tables: Tables, spine: pd.DataFrame) -> Numbers:
        found = build_features(tables, spine, features=features)
        return found[list(features.names)].to_numpy(dtype=np.float64)

    return describe


def _hours(tables: Tables, spine: pd.DataFrame) -> Numbers:
    return count_hours_of_week(tables, spine)


@pytest.fixture(scope="module")
def world() -> SimulatedWorld:
    return SimulatedWorld(seed=5, n_customers=200, days=40)


@pytest.mark.parametrize(
    "describe", [_features(CHURN_FEATURES), _features(ENGAGEMENT_FEATURES), _hours]
)
def test_rows_about_customers_say_all_there_is_of_them(
    world: SimulatedWorld, describe: Describe
) -> None:
    tables = world.tables(world.start)
    some = tables["customers"]["customer_id"][::7].tolist()
    spine = make_spine(some, as_of=world.start)

    cut = rows_about(tables, some)

    assert len(cut["activity"]) < len(tables["activity"]) / 3
    assert "prices" not in cut
    np.testing.assert_array_equal(describe(cut, spine), describe(tables, spine))


def test_rows_about_nobody_are_none(world: SimulatedWorld) -> None:
    cut = rows_about(world.tables(world.start), [])

    assert all(frame.empty for frame in cut.values())
    assert {"customers", "messages", "outcomes"} <= set(cut)
