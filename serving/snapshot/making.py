"""Making a snapshot: features of every customer as of one moment, scored by the champions."""

from datetime import datetime

import numpy as np
import pandas as pd

from features.churn import CHURN_FEATURES, eligible_customers
from features.contracts import CONTRACTS, MARKETING
from features.declarations import FeatureSet
from features.engagement import ENGAGEMENT_FEATURES
from features.point_in_time import build_features, count_hours_of_week, make_spine
from features.tables import Tables, empty_table, find_known, known_before
from features.vocabulary import Channel, Outcome, Trigger
from serving.policy.cases import Floats
from serving.snapshot.state import Customers, Models, Snapshot
from serving.store.store import StoredContact
from training.bandit.policy import VariantPolicy
from training.registry.servable import ChurnModel

CONTACT_DAYS = 31  # covers the longest cool-down and every fatigue period

_READ = ("customers", "messages", "outcomes")
"""Tables that are read as they were known; features read all of them by themselves."""


def make_snapshot(
    tables: Tables, *, as_of: datetime, models: Models, bandit: VariantPolicy, version: str = "0"
) -> Snapshot:
    """Features of every customer known before `as_of`, scored by the champions."""
    models.require_running_features()
    read = {name: tables[name] for name in _READ if name in tables}
    known = known_before(read, pd.Timestamp(as_of))
    profile = make_profile(known["customers"])
    spine = make_spine(profile["customer_id"], as_of=as_of)
    # From the tables, not from what is known: hours need zones that were corrected since.
    churn = _matrix(tables, spine, CHURN_FEATURES)
    customers = Customers(
        profile=profile,
        churn=churn,
        engagement=_matrix(tables, spine, ENGAGEMENT_FEATURES),
        week_counts=count_hours_of_week(tables, spine),
        p_churn=_score_churn(tables, profile, churn, as_of=as_of, model=models.churn),
    )
    return Snapshot(version, as_of, customers, _find_contacts(known, as_of), models, bandit)


def _score_churn(
    tables: Tables,
    profile: pd.DataFrame,
    features: Floats,
    *,
    as_of: datetime,
    model: ChurnModel | None,
) -> Floats:
    """P(churn) of customers who can still be lost; NaN for the others and without a model.

    The model has only seen customers who could still be lost: of those who are gone it knows
    nothing, and a number would be made up.
    """
    p_churn = np.full(len(profile), np.nan)
    if model is not None:
        eligible = eligible_customers(tables, as_of=as_of)
        can_be_lost = profile["customer_id"].isin(eligible).to_numpy()
        p_churn[can_be_lost] = model.predict(features)[can_be_lost]
    return p_churn


def _matrix(tables: Tables, spine: pd.DataFrame, features: FeatureSet) -> Floats:
    frame = build_features(tables, spine, features=features)
    return frame[list(features.names)].to_numpy(dtype=np.float64)


def make_profile(customers: pd.DataFrame) -> pd.DataFrame:
    """What a snapshot keeps of each customer's own row, by customer_id."""
    ordered = customers.sort_values("customer_id", ignore_index=True)
    opens = ordered["active_from_hour"].astype("float64")
    closes = ordered["active_to_hour"].astype("float64")
    wraps = opens > closes
    inside = ((opens <= 9) & (closes >= 9)) | (wraps & ((opens <= 9) | (closes >= 9)))
    consents = {
        f"consent_{channel}": ordered[f"consent_{channel}"].fillna(False).astype(bool)
        for channel in Channel
    }
    return pd.DataFrame(
        {
            "customer_id": ordered["customer_id"],
            "first_name": ordered["first_name"],
            "language": ordered["language"],
            "timezone": ordered["timezone"],
            "segment": ordered["segment"],
            # Unknown active hours: nothing speaks against nine o'clock.
            "nine_is_active": inside | opens.isna() | closes.isna(),
            "region": ordered["region"],
            **consents,
            **{f"{MARKETING}{channel}": ordered[f"{MARKETING}{channel}"] for channel in Channel},
            "known_us": find_known(ordered, CONTRACTS["customers"]).astype("int64"),
        }
    )


def _find_contacts(known: Tables, as_of: datetime) -> tuple[StoredContact, ...]:
    """Notices of the last weeks, channels of one decision counted once."""
    messages = known.get("messages", empty_table("messages"))
    recent = messages[messages["sent_at"] >= as_of - pd.Timedelta(days=CONTACT_DAYS)]
    outcomes = known.get("outcomes", empty_table("outcomes"))
    is_open = outcomes["outcome"].isin([Outcome.OPENED, Outcome.CLICKED]) & ~outcomes["machine"]
    opened = recent["message_id"].isin(outcomes.loc[is_open, "message_id"])
    grouped = (
        recent.assign(opened=opened)
        .groupby(["decision_id", "customer_id", "trigger"], sort=True)
        .agg(sent_at=("sent_at", "min"), opened=("opened", "any"))
        .reset_index()
    )
    sent_at_us = grouped["sent_at"].astype("int64")
    return tuple(
        StoredContact(decision_id, customer_id, Trigger(trigger), int(at_us), bool(was_opened))
        for decision_id, customer_id, trigger, at_us, was_opened in zip(
            grouped["decision_id"],
            grouped["customer_id"],
            grouped["trigger"],
            sent_at_us,
            grouped["opened"],
            strict=True,
        )
    )
