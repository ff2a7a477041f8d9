"""Cases as a model of them is learned: those of which chance decided, and who was lost."""

from dataclasses import replace
from datetime import timedelta

import numpy as np

from features.vocabulary import Arm, Factor, UpliftGroup
from serving.evaluate.case_log import read_case_log
from tests.serving.playbooks.test_outcomes import find_leavers, make_case
from training.world.simulated import SimulatedWorld

HORIZON_DAYS = 30


def test_log_holds_what_chance_decided_and_who_was_lost_of_every_arm() -> None:
    past = SimulatedWorld(seed=1, n_customers=150, days=80)
    tables = past.tables(past.start)
    opened_at = past.start - timedelta(days=HORIZON_DAYS)
    left = find_leavers(tables)
    signed = tables["customers"].set_index("customer_id")["signed_up_at"]
    ids = [
        one for one in signed.index[signed < opened_at] if one not in left or left[one] > opened_at
    ]
    cases = [make_case(one, opened_at, n_refused=1, segment="pro") for one in ids]
    cases[0] = replace(cases[0], arm=Arm.HOLDOUT, factor=None, n_refused=None)
    disturbed = replace(cases[1], uplift_group=UpliftGroup.DO_NOT_DISTURB)
    young = replace(cases[2], opened_at=past.start - timedelta(days=HORIZON_DAYS - 1))
    log = read_case_log(
        [*cases[:1], disturbed, young, *cases[3:]],
        tables,
        known_until=past.start,
        horizon_days=HORIZON_DAYS,
    )
    told = [ids[0], *ids[3:]]
    assert log.customer_id.tolist() == told
    assert log.acted.tolist() == [False, *[True] * (len(told) - 1)]
    assert log.lost.tolist() == [one in left.index for one in told]
    assert log.lost.any()
    assert list(log.customers.factors[:2]) == [None, Factor.LOW_USAGE]
    assert np.isnan(log.customers.n_refused[0])
    assert log.customers.n_refused[1] == 1.0
    nobody = read_case_log([], tables, known_until=past.start, horizon_days=HORIZON_DAYS)
    assert len(nobody) == 0
