"""What is written beside every model alike: what the world looked like, and its card."""

from collections.abc import Mapping
from datetime import datetime

from features.tables import Tables
from training.monitoring.profile import PROFILE_FILE, make_profile
from training.registry.tracking import TrainingRecord
from training.reports.model_card import CARD_FILE, write_card


def document(record: TrainingRecord, tables: Tables, *, known_until: datetime) -> Mapping[str, str]:
    """The documents of a training, by file name.

    Args:
        record: Everything that is logged about it, slices and capacity included.
        tables: The tables it was made from.
        known_until: Aware moment; nothing known at it or later is read.
    """
    profile = make_profile(
        record.name, record.model, tables, known_until=known_until, table_names=record.tables
    )
    return {
        PROFILE_FILE: profile.to_json(),
        CARD_FILE: write_card(record, profile, known_until=known_until),
    }
