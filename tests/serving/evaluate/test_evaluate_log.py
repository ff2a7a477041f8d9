from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from features.economics import default_economics
from features.errors import BadInputError
from features.tables import Tables, empty_table
from features.vocabulary import Channel, Outcome
from serving.evaluate.collect import collect_decisions
from serving.evaluate.judge import Judgement, combine, judge
from serving.evaluate.prepare import ReadyLog, prepare_log
from serving.evaluate.rewards import Reading, read_rewards
from serving.evaluate.targets import TargetName, Words, apply_settings, name_target
from serving.policy.choice import soften
from serving.policy.settings import PolicySettings
from tests.serving.evaluate.conftest import CHANNELS, START, Company
from training.evaluation.bootstrap import Estimate

LATE = START + timedelta(days=60)
Maker = Callable[..., Company]


@pytest.fixture(scope="module")
def company(make_company: Maker) -> Company:
    return make_company(4_000)


@pytest.fixture(scope="module")
def ready(company: Company) -> ReadyLog:
    return make_ready(company)


def make_ready(company: Company) -> ReadyLog:
    return prepare_log(
        company.decisions,
        company.outcomes,
        economics=default_economics(),
        known_until=LATE,
        window_days=3,
        seed=0,
    )


def judged(ready: ReadyLog, name: TargetName) -> Judgement:
    target = name_target(name, ready.log)
    return judge(
        ready.log,
        ready.rewards.margin + ready.rewards.send,
        expected=ready.expected,
        target=target,
        rng=np.random.default_rng(0),
    )


def test_columns_hold_the_log_and_count_repeats_once(company: Company) -> None:
    shuffled = [*company.decisions[::-1], *company.decisions[:50]]
    log = collect_decisions(shuffled)
    assert log.n == len(company.decisions)
    assert log.decision_ids[0] == "d000000"
    assert np.allclose(log.sums(log.actions.p_logged), 1.0)
    assert (log.actions.p_logged[log.taken] > 0).all()
    first = company.decisions[0]
    assert log.actions.kinds[log.actions.kind[log.taken[0]]] == "+".join(first.channels)


def test_columns_leave_out_decisions_without_a_choice(company: Company) -> None:
    alone = company.decisions[0].model_copy(
        update={"decision_id": "x", "allowed": company.decisions[0].allowed[-1:]}
    )
    assert collect_decisions([alone, *company.decisions[:5]]).left_out.n_without_choice == 1


@pytest.mark.parametrize("name", list(TargetName))
def test_target_sums_to_one_in_every_decision(ready: ReadyLog, name: TargetName) -> None:
    target = name_target(name, ready.log)
    assert target.is_known.all()
    assert np.allclose(ready.log.sums(target.p), 1.0)


def test_settings_give_the_logged_probabilities_again(
    ready: ReadyLog, settings: PolicySettings
) -> None:
    target = apply_settings(ready.log, settings.learned, name="same")
    mine = (ready.log.arms == "learned")[ready.log.actions.row]
    assert np.allclose(target.p[mine], ready.log.actions.p_logged[mine])


def test_words_of_its_own_make_the_anytime_interval_the_headline(ready: ReadyLog) -> None:
    """How far they let a correction stray is in no record."""
    intervals = []
    for words in Words:
        target = name_target(TargetName.LOGGED, ready.log, words=words)
        found = judge(
            ready.log,
            ready.rewards.net,
            expected=ready.expected,
            target=target,
            rng=np.random.default_rng(0),
        )
        assert found.headline is not None
        intervals.append(found.headline.interval)
    assert intervals == ["martingale", "anytime", "anytime"]


def test_words_reweigh_by_their_own_probabilities(ready: ReadyLog) -> None:
    logged = name_target(TargetName.LOGGED, ready.log)
    uniform = name_target(TargetName.LOGGED, ready.log, words=Words.UNIFORM)
    sent = ready.log.n_words > 1
    assert np.allclose(logged.weights(ready.log), 1.0)
    assert set(np.round(uniform.weights(ready.log)[sent], 6)) == {0.625, 2.5}
    assert np.allclose(uniform.weights(ready.log)[~sent], 1.0)


def test_other_words_are_worth_what_they_would_bring(make_company: Maker) -> None:
    """Only the words differ, as with another bandit; what was earned with the logged ones is off.

    Warm words bring three times as much, and a fifth of the messages had them.
    """
    asked = {Words.UNIFORM: 0.5, Words.LIKELIEST: 0.0}
    off: dict[Words, list[float]] = {words: [] for words in asked}
    naive: dict[Words, list[float]] = {words: [] for words in asked}
    errors = []
    for seed in range(6):
        company = make_company(1_500, seed=seed, warm_lift=3.0)
        ready = make_ready(company)
        net = ready.rewards.margin + ready.rewards.send
        for words, warm in asked.items():
            target = name_target(TargetName.LOGGED, ready.log, words=words)
            found = judge(
                ready.log, net, expected=ready.expected, target=target, rng=np.random.default_rng(0)
            )
            assert found.headline is not None
            normal = next(one.found for one in found.values if one.interval == "normal")
            truth = company.true_cents(company.logged(), warm=warm)
            assert found.headline.found.low <= truth <= found.headline.found.high
            off[words].append(normal.value - truth)
            naive[words].append(net.mean() - truth)
            errors.append((normal.high - normal.low) / (2 * 1.96))
    reach = 3.5 * np.sqrt(np.mean(np.square(errors)) / 6)
    for words in asked:
        assert abs(np.mean(off[words])) < reach
        assert abs(np.mean(naive[words])) > reach


def true_policy(
    company: Company, name: TargetName
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    n = len(company.values)
    if name is TargetName.RANDOM:
        return np.full((n, 7), 1 / 7)
    if name is TargetName.GREEDY:
        return np.eye(7)[company.values.argmax(axis=1)]
    return np.eye(7)[np.full(n, 0 if name is TargetName.RULES else 6)]


@pytest.mark.parametrize(
    "name", [TargetName.RULES, TargetName.RANDOM, TargetName.NOTHING, TargetName.GREEDY]
)
def test_judge_finds_the_true_worth(company: Company, ready: ReadyLog, name: TargetName) -> None:
    found = judged(ready, name)
    assert found.headline is not None
    estimate, truth = found.headline.found, company.true_cents(true_policy(company, name))
    reach = (estimate.high - estimate.low) / 2 * 3.5 / 1.96
    assert abs(estimate.value - truth) <= reach + 1e-9
    assert reach < 45


def test_mean_of_those_who_got_it_misses_what_weights_find(
    company: Company, ready: ReadyLog
) -> None:
    """The learned policy sends early e-mails to those who like them: their mean is too good."""
    rules = name_target(TargetName.RULES, ready.log)
    matched = (rules.p[ready.log.taken] > 0) & (ready.log.arms == "learned")
    rewards = ready.rewards.margin + ready.rewards.send
    naive, error = rewards[matched].mean(), rewards[matched].std() / np.sqrt(matched.sum())
    truth = company.true_cents(true_policy(company, TargetName.RULES))
    found = judged(ready, TargetName.RULES).headline
    assert found is not None
    assert naive - truth > 3 * error
    assert found.found.low <= truth <= found.found.high


def test_arms_that_never_do_it_say_nothing_and_say_why(ready: ReadyLog) -> None:
    found = {arm.arm: arm for arm in judged(ready, TargetName.NOTHING).arms}
    assert found["holdout"].values
    assert not found["rules"].values
    assert "could not have been logged" in found["rules"].refusals[0]


def test_rules_of_old_records_are_known_in_their_own_arm_only(company: Company) -> None:
    old = [one.model_copy(update={"rules_choice": None}) for one in company.decisions]
    log = collect_decisions(old)
    target = name_target(TargetName.RULES, log)
    assert (target.is_known == (log.arms == "rules")).all()


def test_priced_decisions_are_not_told_under_other_settings(
    company: Company, settings: PolicySettings
) -> None:
    priced = [one.model_copy(update={"prices": {"sms": 2.0}}) for one in company.decisions]
    assert not apply_settings(collect_decisions(priced), settings.learned, name="x").is_known.any()


def test_rewards_name_their_terms_and_count_each_outcome_once(company: Company) -> None:
    log = collect_decisions(company.decisions)
    sent = next(one for one in company.decisions if one.channels == (Channel.SMS,))
    row, event = int(sent.decision_id[1:]), company.outcomes[0]
    told = event.model_copy(
        update={"message_id": f"m{row}", "at": sent.decided_at + timedelta(hours=1)}
    )
    call = told.model_copy(update={"outcome": Outcome.CONTACTED_SUPPORT, "value_cents": None})
    stray = told.model_copy(update={"at": sent.decided_at + timedelta(days=4)})
    robot = told.model_copy(update={"machine": True, "at": told.at + timedelta(minutes=1)})
    events = [told, told, call, call, stray, robot]
    rewards = read_rewards(log, events, economics=default_economics(), window_days=3)
    assert rewards.reading is Reading.MESSAGES
    assert rewards.margin[row] == pytest.approx(0.3 * 2_000)
    assert rewards.support[row] == pytest.approx(-800)
    assert rewards.send[row] == pytest.approx(-4.0)
    assert rewards.margin.sum() == pytest.approx(0.3 * 2_000)
    found_out = read_rewards(
        log,
        [*events, told.model_copy(update={"machine": True})],
        economics=default_economics(),
        window_days=3,
    )
    assert found_out.margin.sum() == 0.0  # nothing that a machine made, whatever was told before


def test_rewards_hold_an_unsubscribe_for_a_lost_channel(company: Company) -> None:
    log = collect_decisions(company.decisions)
    message = next(iter(log.messages))
    lost = company.outcomes[0].model_copy(
        update={
            "message_id": message,
            "outcome": Outcome.UNSUBSCRIBED,
            "value_cents": None,
            "at": company.decisions[log.messages[message]].decided_at + timedelta(hours=1),
        }
    )
    rewards = read_rewards(
        log, [*company.outcomes, lost], economics=default_economics(), window_days=3
    )
    n_customers, months = 2_000, 4_000 / 60 / 24 / 30
    per_month = 0.3 * 2_000 * len(company.outcomes) / n_customers / max(months, 1.0)
    assert rewards.wearing_out.sum() == pytest.approx(-12 * per_month)


def test_no_message_is_known_to_earn_nothing_where_only_messages_are_read(
    company: Company, ready: ReadyLog
) -> None:
    nothing = ready.log.actions.is_nothing
    assert not ready.expected.across[nothing].any()
    assert not ready.expected.squares[nothing].any()
    assert ready.expected.across[~nothing].any()
    found = judged(ready, TargetName.NOTHING).headline
    assert found is not None
    assert (found.found.value, found.found.low, found.found.high) == (0.0, 0.0, 0.0)


def test_open_windows_are_left_out(company: Company) -> None:
    known_until = START + timedelta(days=4)
    ready = prepare_log(
        company.decisions,
        [],
        economics=default_economics(),
        known_until=known_until,
        window_days=3,
        seed=0,
    )
    assert ready.log.n == 24 * 60  # one a minute
    assert ready.log.left_out.n_open == 4_000 - 24 * 60
    with pytest.raises(
        BadInputError, match=r"0 decisions .* the window of 4,000 is open, 0 have no"
    ):
        prepare_log(
            company.decisions,
            [],
            economics=default_economics(),
            known_until=START,
            window_days=3,
            seed=0,
        )


def test_windows_that_reach_past_the_tables_are_open_whatever_was_asked(company: Company) -> None:
    """That nobody is seen to buy after the last row does not mean that nobody bought."""
    tables = {"orders": empty_table("orders"), "tickets": empty_table("tickets")}
    tables["orders"] = pd.DataFrame(
        {
            "customer_id": ["c0", "c1"],
            "ordered_at": pd.to_datetime([START, START + timedelta(days=4)]).as_unit("us"),
            "amount_cents": [100, 100],
        }
    )

    def prepare(window_days: int, tables: Tables | None) -> ReadyLog:
        return prepare_log(
            company.decisions,
            company.outcomes,
            economics=default_economics(),
            known_until=LATE,
            window_days=window_days,
            seed=0,
            tables=tables,
        )

    ready = prepare(3, tables)
    assert ready.known_until == START + timedelta(days=4, seconds=1)
    assert ready.log.n == 24 * 60 + 1
    assert ready.log.left_out.n_open == 4_000 - ready.log.n
    assert prepare(3, None).log.n == 4_000
    with pytest.raises(
        BadInputError, match=r"0 decisions have a choice .* closed before 2026-03-06"
    ):
        prepare(5, tables)


def test_combine_weighs_independent_samples() -> None:
    found = combine([Estimate(1.0, 0.0, 2.0), Estimate(3.0, 2.0, 4.0)], [1.0, 1.0])
    assert found.value == 2.0
    assert found.high - found.value == pytest.approx(np.sqrt(0.5))


def test_records_allow_what_the_company_has(ready: ReadyLog, settings: PolicySettings) -> None:
    assert set(ready.log.actions.kinds) == {"", *CHANNELS}
    p = soften(
        np.zeros((1, 7)), np.ones((1, 7), bool), unsure=np.zeros(1), learned=settings.learned
    )
    assert np.allclose(p, 1 / 7)
