import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import BadInputError
from features.vocabulary import Channel, Trigger
from training.bandit.rewards import Cell, Reward
from training.bandit.state import BanditState, BetaPrior, Tally, state_from

CELL = Cell(Trigger.PRICE_DROP, Channel.EMAIL)


def make_reward(message_id: str, *, variant: str = "a", success: bool = True) -> Reward:
    return Reward(message_id, CELL.trigger, CELL.channel, variant, success)


reward_sets = st.dictionaries(
    st.text("0123456789", min_size=1, max_size=4),
    st.builds(
        Reward,
        message_id=st.just(""),
        trigger=st.sampled_from([Trigger.PRICE_DROP, Trigger.INACTIVITY]),
        channel=st.sampled_from([Channel.EMAIL, Channel.PUSH]),
        variant=st.sampled_from(["a", "b", "c"]),
        success=st.booleans(),
    ),
    max_size=20,
).map(lambda by_id: [replace(reward, message_id=key) for key, reward in by_id.items()])


@given(reward_sets, st.randoms(use_true_random=False))
def test_state_ignores_order_and_repeats(rewards: list[Reward], random: st.DataObject) -> None:
    shuffled = rewards + rewards[: len(rewards) // 2]
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis hands out a random.Random
    assert state_from(shuffled).to_json() == state_from(rewards).to_json()


@given(reward_sets, st.integers(0, 20))
def test_state_learned_in_two_batches_is_the_state_learned_at_once(
    rewards: list[Reward], cut: int
) -> None:
    assert state_from(rewards[:cut]).update(rewards[cut:]) == state_from(rewards)


@given(reward_sets)
def test_state_survives_json_and_counts_every_message(rewards: list[Reward]) -> None:
    state = state_from(rewards, prior=BetaPrior(2.0, 30.0))
    assert BanditState.from_json(state.to_json()) == state
    assert state.version == len(rewards)


def test_posterior_adds_successes_to_alpha_and_failures_to_beta() -> None:
    rewards = [make_reward("1"), make_reward("2", success=False), make_reward("3", success=False)]
    assert state_from(rewards, prior=BetaPrior(1.0, 9.0)).posterior(CELL, "a") == (2.0, 11.0)


def test_posterior_of_a_new_variant_is_the_prior() -> None:
    state = state_from([make_reward("1")], prior=BetaPrior(1.0, 9.0))
    assert state.posterior(CELL, "never sent") == (1.0, 9.0)
    assert state.posterior(Cell(Trigger.PRICE_DROP, Channel.PUSH), "a") == (1.0, 9.0)


def test_state_refuses_two_rewards_of_one_message() -> None:
    with pytest.raises(BadInputError, match="message 1 has two different rewards"):
        state_from([make_reward("1", success=True), make_reward("1", success=False)])


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("format", "opportune.bandit/9", "format 'opportune.bandit/9'"),
        ("prior", {"alpha": 0.0, "beta": 1.0}, "0.5 or more"),
        ("tallies", [{"trigger": "nonsense"}], "nonsense"),
    ],
)
def test_state_refuses_text_it_did_not_write(field: str, value: object, complaint: str) -> None:
    data = json.loads(state_from([make_reward("1")]).to_json())
    with pytest.raises(BadInputError, match=complaint):
        BanditState.from_json(json.dumps({**data, field: value}))


def test_state_refuses_negative_counts() -> None:
    broken = BanditState(tallies={(CELL, "a"): Tally(-1, 0)})
    with pytest.raises(BadInputError, match="negative count"):
        BanditState.from_json(broken.to_json())
