"""Interventions in the simulated world: what is done, what comes of it, and the truth."""

import copy
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError
from training.world.acting.contact import SAVE_DAYS
from training.world.acting.pilot import P_NONE
from training.world.acting.protocol import ActingWorld, Lever
from training.world.acting.simulated import SimulatedActingWorld
from training.world.people.moods import DISSATISFIED
from training.world.simulated import SimulatedWorld

DAYS = 70


@pytest.fixture(scope="module")
def past() -> SimulatedActingWorld:
    """1,000 customers after 70 days with a pilot; to be looked at, never advanced."""
    return SimulatedActingWorld(seed=5, n_customers=1_000, days=DAYS)


@pytest.fixture
def acting(past: SimulatedActingWorld) -> SimulatedActingWorld:
    return copy.deepcopy(past)


def unhappy(world: SimulatedActingWorld) -> list[str]:
    moods = world._realm.life.mood
    return [world._realm.people.identity.ids[who] for who in np.flatnonzero(moods == DISSATISFIED)]


def plan(world: SimulatedActingWorld, ids: list[str], lever: Lever, tag: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "intervention_id": [f"{tag}{row}" for row in range(len(ids))],
            "customer_id": ids,
            "lever": lever.value,
            "begins_at": pd.Timestamp(world.now),
        }
    )


def kept_worth(world: SimulatedActingWorld) -> float:
    here = world._realm.life.present
    return float(world._realm.worth.lost[here].sum())


def test_world_without_interventions_is_the_world_that_cannot_be_acted_upon() -> None:
    plain = SimulatedWorld(seed=2, n_customers=120, days=30)
    left_alone = SimulatedActingWorld(seed=2, n_customers=120, days=30, has_pilot=False)
    for world in (plain, left_alone):
        world.advance(world.start + timedelta(days=5))
    told, same = plain.tables(plain.now), left_alone.tables(left_alone.now)
    assert set(told) == set(same)
    for name, frame in told.items():
        pd.testing.assert_frame_equal(frame, same[name])
    assert len(left_alone.interventions(left_alone.now)) == 0


def test_acting_world_has_everything_that_a_rehearsal_asks_for(past: SimulatedActingWorld) -> None:
    world: ActingWorld = past
    assert world.start == past.now


def test_pilot_book_holds_what_was_not_done_with_true_probabilities(
    past: SimulatedActingWorld,
) -> None:
    book = past.interventions(past.start)
    assert book["intervention_id"].is_unique
    assert (book["decided_at"] < pd.Timestamp(past.start)).all()
    nothing = book["lever"].isna()
    n = len(book)
    assert n > 150
    assert abs(nothing.mean() - P_NONE) < 3 * np.sqrt(P_NONE * (1 - P_NONE) / n)
    assert (book.loc[nothing, "propensity"] == P_NONE).all()
    each = book.loc[~nothing, "propensity"]
    assert np.allclose(each, (1 - P_NONE) / len(Lever))
    assert (book.loc[nothing, "cost_cents"] == 0).all()


def test_pilot_looks_at_nobody_twice_in_sixty_days(past: SimulatedActingWorld) -> None:
    book = past.interventions(past.start).sort_values("decided_at")
    gaps = book.groupby("customer_id")["decided_at"].diff().dropna()
    assert (gaps > pd.Timedelta(days=60)).all()


def test_cutting_advance_into_other_steps_changes_nothing(past: SimulatedActingWorld) -> None:
    whole, steps = copy.deepcopy(past), copy.deepcopy(past)
    soon = pd.Timestamp(past.now) + pd.Timedelta(hours=31)
    for world in (whole, steps):
        world.intervene(plan(world, unhappy(world), Lever.CALL, "a").assign(begins_at=soon))
    end = past.now + timedelta(days=4)
    whole.advance(end)
    for hours in (5, 30, 31, 32, 70, 96):
        steps.advance(past.now + timedelta(hours=hours))
    for name, frame in whole.tables(end).items():
        pd.testing.assert_frame_equal(frame, steps.tables(end)[name])


def test_true_save_value_is_what_living_twice_shows(past: SimulatedActingWorld) -> None:
    ids = [*unhappy(past), *past._realm.people.identity.ids[:300]]
    ids = sorted(set(ids) & set(past.tables(past.now)["customers"]["customer_id"]))
    alone, helped = copy.deepcopy(past), copy.deepcopy(past)
    asked = plan(past, ids, Lever.SERVICE, "b")
    expected = past.true_save_value(asked)
    helped.intervene(asked)
    end = past.now + timedelta(days=SAVE_DAYS)
    alone.advance(end)
    helped.advance(end)
    worth = past.true_worth(pd.Series(ids, dtype="str"))
    who = past._realm.people.index.get_indexer(pd.Index(ids))
    changed = worth * (
        helped._realm.life.present[who].astype(float) - alone._realm.life.present[who]
    )
    error = np.std(changed - expected) * np.sqrt(len(ids))
    assert abs(changed.sum() - expected.sum()) < 3 * error
    assert np.abs(expected).sum() > error  # the test can fail


def test_do_not_disturb_customers_leave_when_somebody_calls(acting: SimulatedActingWorld) -> None:
    everybody = pd.Series(acting._realm.people.identity.ids, dtype="str")
    here = acting._realm.life.present & (acting._contacts.spoke_at < 0)
    asleep = everybody[acting.true_do_not_disturb(everybody) & here].tolist()
    asked = plan(acting, asleep, Lever.CALL, "c")
    assert np.mean(acting.true_save_value(asked)) < 0
    acting.intervene(asked)
    acting.advance(acting.now + timedelta(hours=1))
    who = acting._realm.people.index.get_indexer(pd.Index(asleep))
    assert 0.3 < 1 - acting._realm.life.present[who].mean() < 0.7


def test_what_was_tried_in_vain_is_worth_nothing_again(acting: SimulatedActingWorld) -> None:
    asked = plan(acting, unhappy(acting), Lever.TRAINING, "d")
    before = acting.true_save_value(asked)
    acting.intervene(asked)
    acting.advance(acting.now + timedelta(hours=1))
    still = set(unhappy(acting))
    again = asked[asked["customer_id"].isin(still)].assign(begins_at=pd.Timestamp(acting.now))
    assert len(again) > 5
    after = acting.true_save_value(again)
    assert np.allclose(after, 0.0)
    assert np.abs(before).max() > 0
    better = again.assign(lever=Lever.DISCOUNT.value)
    assert (acting.true_save_value(better) >= 0).all()


def test_two_contacts_of_one_moment_land_one_after_another(acting: SimulatedActingWorld) -> None:
    acting.advance(acting.now + timedelta(hours=1))  # midnight is over: the day's step is done
    ids = unhappy(acting)
    both = pd.concat(
        [plan(acting, ids, Lever.SERVICE, "e"), plan(acting, ids, Lever.DISCOUNT, "f")]
    )
    one_by_one = copy.deepcopy(acting)
    acting.intervene(both)
    acting.advance(acting.now + timedelta(hours=2))
    for lever, tag in ((Lever.SERVICE, "e"), (Lever.DISCOUNT, "f")):
        one_by_one.intervene(plan(one_by_one, ids, lever, tag))
        one_by_one.advance(one_by_one.now + timedelta(microseconds=1))
    one_by_one.advance(acting.now)
    assert np.array_equal(acting._realm.life.mood, one_by_one._realm.life.mood)


def test_faults_of_interventions_are_named(acting: SimulatedActingWorld) -> None:
    good = plan(acting, unhappy(acting)[:1], Lever.CALL, "g")
    with pytest.raises(BadInputError, match="begins_at"):
        acting.true_save_value(good.drop(columns="begins_at"))
    with pytest.raises(BadInputError, match="'hug'"):
        acting.intervene(good.assign(lever="hug"))
    with pytest.raises(BadInputError, match="is past"):
        acting.intervene(good.assign(begins_at=pd.Timestamp(acting.now) - pd.Timedelta("1h")))
    with pytest.raises(BadInputError, match="knows no"):
        acting.intervene(good.assign(customer_id="nobody"))
    acting.intervene(good)
    with pytest.raises(BadInputError, match="taken"):
        acting.intervene(good)
