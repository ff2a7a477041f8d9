"""Snapshots on disk: workers take a new version without a restart."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import BadInputError, NotReadyError
from features.vocabulary import Trigger
from serving.policy.cases import from_us, to_us
from serving.snapshot.state import Customers, Models, Snapshot
from serving.store.store import StoredContact
from serving.versions import Versions
from training.bandit.files import read_bandit
from training.registry.servable import (
    CaseModel,
    ChannelModel,
    ChurnModel,
    SendTimeModel,
    UpliftModel,
    load_servable,
    save_servable,
)


def publish_snapshot(snapshot: Snapshot, folder: Path) -> Snapshot:
    """Write the snapshot under the next version and make it the current one."""
    Versions(folder).publish(lambda home, version: _write(snapshot, home, version))
    return load_snapshot(folder)


def current_version(folder: Path) -> str | None:
    """The version that is served; None before the first publication."""
    return Versions(folder).current()


def load_snapshot(folder: Path) -> Snapshot:
    """The current snapshot; NotReadyError before the first publication."""
    snapshot = Versions(folder).load(_read)
    if snapshot is None:
        raise NotReadyError(
            f"{folder} holds no snapshot yet: `opportune serve --data DIR` makes one"
        )
    snapshot.models.require_running_features()
    return snapshot


def _read(home: Path, version: str) -> Snapshot:
    manifest = json.loads((home / "manifest.json").read_text(encoding="utf-8"))
    with np.load(home / "arrays.npz", allow_pickle=False) as arrays:
        customers = Customers(
            profile=pd.read_parquet(home / "profile.parquet"),
            churn=arrays["churn"],
            engagement=arrays["engagement"],
            week_counts=arrays["week_counts"].astype(np.float64),
            p_churn=arrays["p_churn"],
        )
    return Snapshot(
        version=version,
        as_of=from_us(manifest["as_of_us"]),
        customers=customers,
        contacts=_read_contacts(home / "contacts.parquet"),
        models=_load_models(home),
        bandit=read_bandit((home / "bandit.json").read_text(encoding="utf-8")),
    )


def _write(snapshot: Snapshot, home: Path, version: str) -> None:
    customers = snapshot.customers
    customers.profile.to_parquet(home / "profile.parquet", index=False)
    np.savez(
        home / "arrays.npz",
        churn=customers.churn,
        engagement=customers.engagement,
        week_counts=customers.week_counts.astype(np.float32),
        p_churn=customers.p_churn,
    )
    _write_contacts(snapshot.contacts, home / "contacts.parquet")
    for name, model in snapshot.models.by_file().items():
        save_servable(model, home / f"{name}.model.json")
    (home / "bandit.json").write_text(snapshot.bandit.to_json(), encoding="utf-8")
    manifest = {"version": version, "as_of_us": to_us(snapshot.as_of)}
    (home / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def _write_contacts(contacts: Sequence[StoredContact], path: Path) -> None:
    frame = pd.DataFrame(
        {
            "decision_id": pd.Series([c.decision_id for c in contacts], dtype="str"),
            "customer_id": pd.Series([c.customer_id for c in contacts], dtype="str"),
            "trigger": pd.Series([c.trigger.value for c in contacts], dtype="str"),
            "sent_at_us": pd.Series([c.sent_at_us for c in contacts], dtype="int64"),
            "opened": pd.Series([c.opened for c in contacts], dtype="bool"),
        }
    )
    frame.to_parquet(path, index=False)


def _read_contacts(path: Path) -> tuple[StoredContact, ...]:
    frame = pd.read_parquet(path)
    return tuple(
        StoredContact(decision_id, customer_id, Trigger(trigger), int(at_us), bool(opened))
        for decision_id, customer_id, trigger, at_us, opened in zip(
            *(frame[name].tolist() for name in frame.columns), strict=True
        )
    )


def _load_models(home: Path) -> Models:
    found = {path.name.split(".")[0]: load_servable(path) for path in home.glob("*.model.json")}
    churn, channel, send_time, uplift, retention = (
        found.get(name) for name in ("churn", "channel", "send_time", "uplift", "retention")
    )
    if not (
        (churn is None or isinstance(churn, ChurnModel))
        and (channel is None or isinstance(channel, ChannelModel))
        and (send_time is None or isinstance(send_time, SendTimeModel))
        and (uplift is None or isinstance(uplift, UpliftModel))
        and (retention is None or isinstance(retention, CaseModel))
    ):
        raise BadInputError(f"{home} holds a model of the wrong kind under one of its names")
    return Models(churn, channel, send_time, uplift, retention)
