from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.errors import BadInputError, IncompatibleModelError, NotReadyError
from features.tables import Tables
from features.vocabulary import Channel
from serving.snapshot.files import current_version, load_snapshot, publish_snapshot
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from training.bandit.files import new_bandit
from training.registry.servable import FeatureSignature


def test_publish_snapshot_gives_back_what_was_made(snapshot: Snapshot, tmp_path: Path) -> None:
    published = publish_snapshot(snapshot, tmp_path)

    assert published.version == "000001"
    assert published.as_of == snapshot.as_of
    assert published.models == snapshot.models
    assert published.contacts == snapshot.contacts
    pd.testing.assert_frame_equal(published.customers.profile, snapshot.customers.profile)
    for name in ("churn", "engagement", "week_counts", "p_churn"):
        np.testing.assert_array_equal(
            getattr(published.customers, name), getattr(snapshot.customers, name)
        )


def test_publish_snapshot_counts_up_and_keeps_the_last_few(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    for _ in range(5):
        publish_snapshot(snapshot, tmp_path)

    assert current_version(tmp_path) == "000005"
    kept = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert kept == ["000003", "000004", "000005"]


def test_load_snapshot_ignores_one_that_was_not_finished(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    publish_snapshot(snapshot, tmp_path)
    (tmp_path / "000002.unfinished").mkdir()

    assert load_snapshot(tmp_path).version == "000001"
    assert publish_snapshot(snapshot, tmp_path).version == "000002"


def test_load_snapshot_says_what_to_do_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="opportune"):
        load_snapshot(tmp_path)


def test_load_snapshot_refuses_a_damaged_model(snapshot: Snapshot, tmp_path: Path) -> None:
    publish_snapshot(snapshot, tmp_path)
    (tmp_path / "000001" / "churn.model.json").write_text("{}", encoding="utf-8")

    with pytest.raises(BadInputError, match=r"churn\.model\.json"):
        load_snapshot(tmp_path)


def test_make_snapshot_refuses_a_model_with_other_features(
    tables: Tables, models: Models, snapshot: Snapshot
) -> None:
    assert models.churn is not None
    names = models.churn.signature.names
    foreign = replace(models.churn, signature=FeatureSignature(names, "other"))

    with pytest.raises(IncompatibleModelError, match="other"):
        make_snapshot(
            tables, as_of=snapshot.as_of, models=Models(churn=foreign), bandit=new_bandit()
        )


def test_make_snapshot_knows_nobody_who_signs_up_later(tables: Tables, snapshot: Snapshot) -> None:
    early = snapshot.as_of - timedelta(days=230)

    known = make_snapshot(tables, as_of=early, models=Models(), bandit=new_bandit())

    signed_up = tables["customers"]["signed_up_at"] < early
    assert 0 < signed_up.sum() < len(signed_up)
    assert len(known.customers.profile) == signed_up.sum()


def test_make_snapshot_takes_an_unknown_consent_for_none(
    tables: Tables, snapshot: Snapshot
) -> None:
    customers = tables["customers"].assign(consent_email=pd.array([pd.NA] * 60, dtype="boolean"))

    made = make_snapshot(
        {**tables, "customers": customers},
        as_of=snapshot.as_of,
        models=Models(),
        bandit=new_bandit(),
    )

    assert not made.customers.consent[:, list(Channel).index(Channel.EMAIL)].any()
    assert made.customers.consent[:, list(Channel).index(Channel.SMS)].any()


@pytest.mark.parametrize(
    ("opens", "closes", "expected"),
    [
        (8, 20, True),
        (10, 20, False),
        (22, 9, True),
        (22, 7, False),
        (9, 9, True),
        (None, None, True),
    ],
)
def test_make_snapshot_tells_whether_nine_is_an_active_hour(
    opens: int | None, closes: int | None, expected: bool, tables: Tables, snapshot: Snapshot
) -> None:
    customers = tables["customers"].assign(
        active_from_hour=pd.array([opens] * 60, dtype="Int64"),
        active_to_hour=pd.array([closes] * 60, dtype="Int64"),
    )

    made = make_snapshot(
        {**tables, "customers": customers},
        as_of=snapshot.as_of,
        models=Models(),
        bandit=new_bandit(),
    )

    assert set(made.customers.nine_is_active.tolist()) == {expected}
