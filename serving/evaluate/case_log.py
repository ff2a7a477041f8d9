"""Cases as a model of them learns: as they were when they were opened, and who was lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from features.churn import churn_labels
from features.tables import Tables
from features.vocabulary import Arm, UpliftGroup
from serving.store.cases import CaseRow
from training.case_effect import CaseLog
from training.registry.servable import AtOpening


def read_case_log(
    cases: Sequence[CaseRow], tables: Tables, *, known_until: datetime, horizon_days: int
) -> CaseLog:
    """Cases whose horizon is over and of which chance decided whether anything was done.

    Of who was not to be disturbed nobody hears anything in any arm: they tell nothing. Whether a
    customer was lost is read from the tables, of every arm alike.

    Args:
        cases: All.
        tables: Conformed.
        known_until: The tables hold what was known strictly before.
        horizon_days: Days after the opening.
    """
    horizon = timedelta(days=horizon_days)
    told = [
        case
        for case in cases
        if case.opened_at + horizon <= known_until
        and case.uplift_group is not UpliftGroup.DO_NOT_DISTURB
    ]
    opened_at = pd.to_datetime([case.opened_at for case in told], utc=True).as_unit("us")
    spine = pd.DataFrame(
        {
            "customer_id": pd.Series([case.customer_id for case in told], dtype="str"),
            "as_of": opened_at,
        }
    )
    lost = (
        churn_labels(tables, spine, known_until=known_until, horizon_days=horizon_days)
        if told
        else pd.Series(dtype="bool")
    )
    return CaseLog(
        customers=AtOpening(
            p_churn=np.array([case.p_churn for case in told], dtype=np.float64),
            n_refused=np.array([_or_nan(case.n_refused) for case in told], dtype=np.float64),
            segments=[case.segment for case in told],
            factors=[case.factor for case in told],
        ),
        customer_id=np.array([case.customer_id for case in told], dtype=object),
        opened_at=opened_at.tz_localize(None).to_numpy(dtype="datetime64[us]"),
        acted=np.array([case.arm is not Arm.HOLDOUT for case in told], dtype=np.bool_),
        lost=lost.to_numpy(dtype=np.bool_),
        horizon_days=horizon_days,
    )


def _or_nan(n: int | None) -> float:
    return np.nan if n is None else float(n)
