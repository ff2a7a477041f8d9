"""What of the truth can be known: what hangs on features is found, what is hidden stays lost."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from features.vocabulary import Channel, Trigger
from serving.benchmarks.value_ablation import Ground, ValuedCases
from serving.benchmarks.value_knowable import WAYS, Actions, list_actions, measure
from serving.policy.actions import propose_actions
from serving.policy.cases import Cases, Floats
from serving.policy.settings import CHANNELS, PolicySettings
from serving.policy.value import ValueModels
from tests.channel_beliefs import believe
from training.registry.servable import FeatureSignature, SendTimeModel

_N_CASES, _N_CHANNELS = 600, 5
_LEVELS = np.array([2.0, -3.0, 0.0, 1.0, -1.0])  # by channel: our values do not have them


def _world(seed: int, *, hidden_sd: float) -> Actions:
    """Cases with an action on each channel, of which a level and a taste are missing in ours."""
    rng = np.random.default_rng(seed)
    case = np.repeat(np.arange(_N_CASES), _N_CHANNELS)
    channel = np.tile(np.arange(_N_CHANNELS), _N_CASES)
    net = rng.normal(1.0, 1.0, len(case))
    true = net + _LEVELS[channel] + rng.normal(0.0, hidden_sd, len(case))
    alike = np.zeros(len(case))
    noise = rng.normal(size=len(case))
    return Actions(case, np.column_stack([alike, channel, alike, alike, net, noise]), net, true)


def _shares(*, hidden_sd: float) -> dict[str, float]:
    worlds = [_world(seed, hidden_sd=hidden_sd) for seed in (1, 2, 3)]
    return {row.metric: row.ours for row in measure(worlds)}


def test_measure_finds_what_features_tell() -> None:
    found = _shares(hidden_sd=0.0)
    assert found["ours, without exploring"] < 0.8
    assert all(found[way] > 0.99 for way in WAYS)


def test_measure_leaves_lost_what_is_hidden() -> None:
    found = _shares(hidden_sd=2.0)
    known = [world.share(world.net + _LEVELS[world.known[:, 1].astype(int)]) for world in _worlds()]
    for way in WAYS:
        assert found["ours, without exploring"] < found[way] < 0.9
        assert found[way] == pytest.approx(np.mean(known), abs=0.02)
        added = found[f"{way}: added to ours"]
        assert added == pytest.approx(found[way] - found["ours, without exploring"])


def test_measure_judges_one_world_by_our_values_alone() -> None:
    (row,) = measure(_worlds()[:1])
    assert row.metric == "ours, without exploring"
    assert (row.n, row.low, row.high) == (1, None, None)


def _worlds() -> list[Actions]:
    return [_world(seed, hidden_sd=2.0) for seed in (1, 2, 3)]


def test_take_takes_one_action_of_a_case_or_none() -> None:
    case = np.array([0, 0, 1, 1, 2])
    true = np.array([1.0, 5.0, -2.0, 3.0, 4.0])
    actions = Actions(case, np.zeros((5, 5)), np.zeros(5), true)
    assert actions.take(np.array([2.0, 1.0, 3.0, 2.0, -1.0])) == 1.0 - 2.0
    assert actions.take(true) == 5.0 + 3.0 + 4.0
    assert actions.share(true) == 1.0


@pytest.fixture
def ground(one_case: Callable[..., Cases], settings: PolicySettings) -> Ground:
    """A service case of one who may get e-mail and SMS, and a marketing case."""
    allowed = (Channel.EMAIL, Channel.SMS)
    parts = []
    for trigger, segment in ((Trigger.DELIVERY_DELAY, "premium"), (Trigger.ABANDONED_CART, None)):
        cases = one_case(trigger, segment=segment, consents=allowed, timezone="Asia/Almaty")
        cases = replace(cases, marketing_consent=cases.consent)
        grid = propose_actions(cases, settings=settings)
        truth: Floats = np.arange(float(grid.allowed.size)).reshape(grid.allowed.shape)
        parts.append(ValuedCases(cases, grid, truth, truth))
    even = SendTimeModel("1", tuple(np.full(168, 1 / 168)), 1.0)
    return Ground(ValueModels(believe(FeatureSignature((), "x")), even), tuple(parts))


def test_list_actions_lists_what_is_allowed_on_one_channel(
    ground: Ground, settings: PolicySettings
) -> None:
    (actions,) = list_actions([ground], settings)

    first, second = ground.triggers
    email, sms = CHANNELS.index(Channel.EMAIL), CHANNELS.index(Channel.SMS)
    n_first = int(first.grid.allowed[:, : len(CHANNELS)].sum())
    assert first.grid.allowed[:, len(CHANNELS) :].any()  # sets of two, which are left out
    np.testing.assert_array_equal(np.unique(actions.case, return_counts=True)[0], [0, 1])
    assert (actions.case == 0).sum() == n_first
    assert (actions.case == 1).sum() == second.grid.allowed[:, : len(CHANNELS)].sum()
    assert set(actions.known[:, 1]) == {email, sms}
    assert len({*actions.known[actions.case == 0, 2], *actions.known[actions.case == 1, 2]}) == 2
    _, channel, slot = np.nonzero(first.grid.allowed[:, : len(CHANNELS)])
    np.testing.assert_array_equal(actions.true_cents[:n_first], first.true_cents[0, channel, slot])
    local_hour, waited = actions.known[:n_first, 5], actions.known[:n_first, 7]
    np.testing.assert_allclose((17 + waited) % 24 // 1, local_hour)  # noon in UTC is 17:00 there
    np.testing.assert_array_equal(actions.known[:, 4], actions.net)
