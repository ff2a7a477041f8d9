"""What a promoted model says will be late, for the commands that look for triggers."""

from datetime import datetime

import pandas as pd

from features.tables import Tables
from serving.settings import Settings


def predict_late_orders(
    settings: Settings, tables: Tables, *, as_of: datetime
) -> pd.DataFrame | None:
    """Predictions for `find_triggers`; None where the home has no model of lateness."""
    if not settings.registry.is_dir():
        return None
    # Only now: without a registry nobody need wait for MLflow.
    from training.lateness import foretell_lateness
    from training.registry.tracking import Tracking

    return foretell_lateness(Tracking.in_folder(settings.registry), tables, as_of=as_of)
