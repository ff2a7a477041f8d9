"""Figures of rehearsed playbooks, from runs whose figures are known."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from features.errors import ConfigurationError
from features.vocabulary import Arm
from serving.playbooks.measures import CaseOutcomes
from serving.playbooks.settings import default_playbooks
from serving.rehearsal.playbooks.figures import group_runs, make_rows
from serving.rehearsal.playbooks.levers import OFFERS, STEPS, TASK_CENTS, require_levers
from serving.rehearsal.playbooks.loop import PlaybookRun
from serving.rehearsal.playbooks.office import Contact, find_lever
from serving.rehearsal.playbooks.policies import PlaybookPolicy, set_playbooks
from serving.rehearsal.playbooks.report import make_playbook_rehearsal
from serving.rehearsal.playbooks.run import NothingLearned, give_places
from serving.store.tasks import TaskRow
from training.benchmarks.rows import BenchRow
from training.world.acting.protocol import Lever

NOW = datetime(2026, 6, 1, tzinfo=UTC)
N = 100


def make_outcomes(n: int = 80) -> CaseOutcomes:
    arm = np.array([Arm.LEARNED.value, Arm.HOLDOUT.value] * (n // 2), dtype=object)
    retained = np.arange(n) % 4 != 1  # half of the holdout leaves
    return CaseOutcomes(
        customer_id=np.array([f"c{row}" for row in range(n)], dtype=object),
        arm=arm,
        cohorts={},
        retained=retained,
        days_kept=np.full(n, 30.0),
        recovered=retained,
        days_to_recovery=np.where(retained, 9.0, np.nan),
        mrr_cents=np.full(n, 1_000.0),
        cost_cents=np.where(arm == Arm.HOLDOUT.value, 0.0, 100.0),
        p_churn=np.full(n, 0.4),
        horizon_days=30,
    )


def make_run(
    policy: PlaybookPolicy, seed: int, *, true_cents: float, disturbed: int = 0, n_lost: int = 20
) -> PlaybookRun:
    ids = [f"c{row}" for row in range(N)]
    spoken = 0 if policy is PlaybookPolicy.NOBODY else 10
    return PlaybookRun(
        policy=policy,
        case="calm",
        seed=seed,
        n_customers=N,
        outcomes=make_outcomes(),
        contacts=tuple(Contact(one, "k", Lever.CALL, NOW, true_cents / 10) for one in ids[:spoken]),
        offer_cents=40.0 * (spoken > 0),
        task_cents=60.0 * (spoken > 0),
        disturbed=frozenset(ids[:disturbed]),
        share_disturbed=0.06,
        worth=pd.Series(500.0, index=ids),
        retained=pd.Series([row >= n_lost for row in range(N)], index=ids),
        mrr_cents=pd.Series(100.0, index=ids),
        seconds=1.0,
    )


def make_world(seed: int) -> list[PlaybookRun]:
    return [
        make_run(PlaybookPolicy.OURS, seed, true_cents=1_100 + seed, n_lost=15),
        make_run(PlaybookPolicy.SHIPPED, seed, true_cents=900),
        make_run(PlaybookPolicy.RISKIEST, seed, true_cents=300, disturbed=2, n_lost=18),
        make_run(PlaybookPolicy.ORACLE, seed, true_cents=2_100),
        make_run(PlaybookPolicy.NOBODY, seed, true_cents=0.0),
    ]


def read_rows(seeds: int = 3) -> dict[str, BenchRow]:
    (worlds,) = group_runs([run for seed in range(seeds) for run in make_world(seed)])
    return {row.metric: row for row in make_rows(worlds, rng=np.random.default_rng(0))}


def test_net_value_is_true_value_less_all_costs_by_customer() -> None:
    rows = read_rows()
    assert rows["net_value_of_riskiest"].ours == pytest.approx((300 - 100) / N)
    assert rows["net_value_of_ours"].ours == pytest.approx((1_101 - 100) / N)
    assert rows["true_roi_of_ours"].ours == pytest.approx(1_001 / 100)
    assert rows["cost_of_oracle"].ours == pytest.approx(1.0)
    assert "net_value_of_nobody" not in rows
    assert "net_value_of_random" not in rows  # it was not rehearsed


def test_gain_is_told_world_by_world_with_an_interval_over_seeds() -> None:
    gain = read_rows()["gain_over_riskiest"]
    assert gain.ours == pytest.approx(801 / N)
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low < gain.ours < gain.high
    assert (gain.reference_name, gain.n) == ("riskiest", 3)
    single = read_rows(1)["gain_over_riskiest"]
    assert (single.low, single.high) == (None, None)


def test_do_not_disturb_share_stands_beside_that_of_all_customers() -> None:
    rows = read_rows()
    touched = rows["do_not_disturb_contacted_of_riskiest"]
    assert (touched.ours, touched.reference) == (pytest.approx(0.2), pytest.approx(0.06))
    assert rows["do_not_disturb_contacted_of_ours"].ours == 0.0


def test_what_happened_is_told_beside_the_copy_in_which_nothing_was_done() -> None:
    rows = read_rows()
    assert rows["net_as_it_happened_of_ours"].ours == pytest.approx((5 * 500 - 100) / N)
    assert rows["revenue_protected_of_ours"].ours == pytest.approx(12 * 100 * 5)
    assert rows["saved_of_ours"].ours == pytest.approx(0.0)  # those five were not spoken with


def test_company_sees_its_arms_against_its_holdout() -> None:
    rows = read_rows()
    saved = rows["saved_against_holdout"]
    assert saved.ours == pytest.approx(0.5)
    assert saved.n == 3 * 80
    assert rows["save_rate_against_holdout"].reference == pytest.approx(0.5)
    shipped, riskiest = rows["net_value_of_shipped"].ours, rows["net_value_of_riskiest"].ours
    assert rows["gain_of_shipped_over_riskiest"].ours == pytest.approx(shipped - riskiest)


def test_page_says_which_worlds_could_not_be_rehearsed() -> None:
    worlds = group_runs(make_world(0))
    rows = make_rows(worlds[0], rng=np.random.default_rng(0))
    silent = NothingLearned("calm", 9, "pilot: 3 cases contacted")
    page = make_playbook_rehearsal(worlds, rows, silent=[silent]).to_html()
    assert "calm, seed 9: pilot: 3 cases contacted" in page
    assert "gain over riskiest" in page
    assert page.count("data:image/svg") == 1


def test_every_step_and_offer_that_ships_has_a_lever() -> None:
    playbooks = default_playbooks()
    assert require_levers(playbooks) is playbooks
    offers = {**playbooks.offers, "a_hug": playbooks.offers["discount_20"]}
    with pytest.raises(ConfigurationError, match="a_hug"):
        require_levers(playbooks.model_copy(update={"offers": offers}))
    dance = playbooks.items["account_audit"].model_copy(update={"kind": "dance"})
    with pytest.raises(ConfigurationError, match="price of the tasks dance"):
        require_levers(playbooks.model_copy(update={"items": {**playbooks.items, "jig": dance}}))


@pytest.mark.parametrize(
    ("task_id", "kind", "lever"),
    [
        ("case/7/success_review", "call", Lever.CALL),
        ("case/7/csm_outreach/2", "call", Lever.SERVICE),
        ("case/7/custom_offer/discount_20", "offer", OFFERS["discount_20"]),
        ("case/7/account_audit", "audit", None),
    ],
)
def test_lever_of_a_task(task_id: str, kind: str, lever: Lever | None) -> None:
    task = TaskRow(task_id, "7", "c1", kind, "t", "b", "csm", NOW, NOW)
    assert find_lever(task) is lever


def test_policies_share_holdout_budget_steps_and_prices() -> None:
    shipped = give_places(default_playbooks(), n=7)
    assert shipped.start.capacity.cases == 7
    for policy in PlaybookPolicy:
        own = set_playbooks(policy, shipped)
        assert own.arms[Arm.HOLDOUT] == shipped.arms[Arm.HOLDOUT]
        assert sum(own.arms.values()) == pytest.approx(1.0)
        assert own.choice.cents_per_month == shipped.choice.cents_per_month
        assert own.offers == shipped.offers
        assert own.task_cents == dict(TASK_CENTS)
    assert set_playbooks(PlaybookPolicy.SHIPPED, shipped).arms == shipped.arms
    assert set_playbooks(PlaybookPolicy.RISKIEST, shipped).arms[Arm.RULES] > 0.8
    assert set(STEPS) <= set(shipped.items)
