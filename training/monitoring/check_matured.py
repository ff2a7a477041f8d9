"""The check that needs labels: is what the model foretold since its training what happened?"""

from datetime import datetime

import numpy as np

from features.tables import Tables
from training.datasets.provenance import NotEnoughData
from training.models.table import RECIPES
from training.monitoring.matured import find_defeat, find_miscalibration, find_wrong_curve
from training.monitoring.status import Check, Finding, cannot_tell, conclude
from training.registry.entries import ModelVersion

MATURED = "matured labels"


def check_matured(
    champion: ModelVersion, tables: Tables, *, made_at: datetime, as_of: datetime, seed: int
) -> Check:
    """Calibration, and the loss beside the baseline's, on rows later than the training.

    Args:
        champion: The served version, made with the features of the running code.
        tables: Conformed tables.
        made_at: Nothing known at it or later was read when the model was made.
        as_of: Aware moment; nothing known at it or later is read.
        seed: Of the bootstrap.
    """
    rows = RECIPES[champion.name].find_later_rows(
        tables, known_until=as_of, seen_until=made_at, fit_until=made_at
    )
    if isinstance(rows, NotEnoughData):
        return cannot_tell(MATURED, rows.reason)
    rng = np.random.default_rng(seed)
    window, judged = rows.window, rows.judge(champion.model)
    findings: list[Finding] = [
        find_defeat(
            judged,
            baseline=window.baseline,
            baseline_name=window.baseline_name,
            customers=window.customers,
            rng=rng,
        )
    ]
    for outcome, scored in judged.scores.items():
        shift = find_miscalibration(outcome, scored, customers=window.customers, rng=rng)
        if shift is not None:
            findings += [shift, find_wrong_curve(outcome, scored, rng=rng)]
    return conclude(
        MATURED,
        findings,
        measure="observed over foretold; calibration error; loss over the baseline",
        fine=f"on {len(window.customers):,} rows since the training whose outcome is known, the "
        "model kept its word",
        not_fine="what happened since the training is not what was foretold: do not take its "
        "probabilities at face value, train again",
    )
