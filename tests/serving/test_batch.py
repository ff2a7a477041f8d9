"""Batches over files: the scores and the decisions of the running service, to the last digit."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.all_features import ALL_FEATURES
from features.checks import require_valid
from features.churn.risk import TierBorders, default_rules
from features.engines import DUCKDB
from features.engines.batches import InProcess
from features.engines.spark import SparkEngine
from features.errors import (
    BadInputError,
    ConfigurationError,
    ConflictError,
    NotReadyError,
    SourceUnreadableError,
)
from features.point_in_time import EveryCustomer, write_features
from features.sources import write_tables
from features.table_files import TableFiles
from features.tables import Tables
from features.triggers import find_triggers
from features.vocabulary import Channel, Outcome, Trigger
from serving.batch.decisions import book_decisions, to_table, write_cases
from serving.batch.run import claim_home_by_sample, decide_on_spark
from serving.batch.scores import make_scorer, score_rows
from serving.home import claim_home
from serving.publish import learn_bandit
from serving.records import Decision, DecisionRequest, OutcomeEvent
from serving.requests import churn_risk_requests, requests_of
from serving.runtime import EngineParts, wire_parts
from serving.settings import Settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot
from serving.store.store import Store
from training.bandit.files import new_bandit
from training.registry.servable import CHANNELS, GroupEffects, Level

AS_OF = datetime.fromisoformat("2026-06-10T07:00:00+00:00")


@pytest.fixture(scope="module")
def told_tables(tables: Tables) -> Tables:
    """The company with messages: tired customers, opened and unopened, machines among them."""

    def sent_at(n: int) -> datetime:
        return AS_OF - timedelta(days=n % 40, hours=n % 7, minutes=5)

    messages = [
        {
            "message_id": f"m{n}",
            "decision_id": f"d{n // 2}",
            "customer_id": f"c{n // 2 % 30:03d}",
            "trigger": ("inactivity", "abandoned_cart")[n // 2 % 2],
            "channel": ("email", "push")[n % 2],
            "variant": ("plain", None, "warm")[n % 3],
            "sent_at": sent_at(n // 2 * 2),
            "arm": "random",
            "propensity": 0.5,
            "cost_cents": 1.0,
        }
        for n in range(160)
    ]
    outcomes = [
        {
            "message_id": f"m{n}",
            "outcome": ("opened", "clicked", "converted")[n % 3],
            "at": sent_at(n // 2 * 2) + timedelta(hours=n % 250),
            "machine": n % 5 == 0,
        }
        for n in range(0, 160, 2)
    ]
    known = [row for row in outcomes if row["at"] < AS_OF]
    told = {"messages": pd.DataFrame(messages), "outcomes": pd.DataFrame(known)}
    return require_valid({**tables, **told})


@pytest.fixture(scope="module")
def told_files(told_tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> TableFiles:
    folder = tmp_path_factory.mktemp("told")
    write_tables(told_tables, folder)
    return TableFiles({path.stem: path for path in folder.glob("*.parquet")})


@pytest.fixture(scope="module")
def features_file(told_files: TableFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("features") / "features.parquet"
    write_features(told_files, EveryCustomer(AS_OF), out, features=ALL_FEATURES)
    return out


def open_parts(home: Path) -> EngineParts:
    return wire_parts(Settings(home=home, clock="caller"), clock=lambda: AS_OF)


def take_snapshot(tables: Tables, models: Models, parts: EngineParts) -> Snapshot:
    bandit = learn_bandit(tables, parts.store, as_of=AS_OF, policy=parts.policy)
    return make_snapshot(tables, as_of=AS_OF, models=models, bandit=bandit)


def ask(customer_id: str, trigger: Trigger, *, at: datetime = AS_OF) -> DecisionRequest:
    key = f"{customer_id}/{trigger}/{at.isoformat()}"
    return DecisionRequest(
        customer_id=customer_id, trigger=trigger, idempotency_key=key, decided_at=at
    )


def live_a_little(parts: EngineParts, snapshot: Snapshot, found: list[DecisionRequest]) -> None:
    """Yesterday's decisions with an unsubscribe and a complaint, and some of today's."""
    yesterday = AS_OF - timedelta(days=1)
    ids = snapshot.customers.profile["customer_id"].tolist()
    engine = parts.engine(snapshot)
    decided = engine.decide_many([ask(id_, Trigger.PRICE_DROP, at=yesterday) for id_ in ids[::3]])
    sent = [decision.messages[0].message_id for decision in decided if decision.send]
    answers = zip(sent, (Outcome.UNSUBSCRIBED, Outcome.COMPLAINED, Outcome.OPENED), strict=False)
    late = AS_OF + timedelta(days=3)
    engine.report([OutcomeEvent(message_id=m, outcome=o, at=late) for m, o in answers])
    engine.decide_many(found[::5])


def read_records(place: Path) -> dict[str, Decision]:
    records = [Decision.model_validate_json(text) for text in pd.read_parquet(place)["record"]]
    return {record.decision_id: record for record in records}


@pytest.mark.slow
def test_decisions_on_spark_are_those_of_the_service(
    told_tables: Tables,
    told_files: TableFiles,
    models: Models,
    spark: SparkEngine,
    tmp_path: Path,
) -> None:
    here, there = open_parts(tmp_path / "here"), open_parts(tmp_path / "there")
    snapshot = take_snapshot(told_tables, models, here)
    requests = [
        *requests_of(find_triggers(told_tables, as_of=AS_OF), as_of=AS_OF),
        *churn_risk_requests(snapshot, rules=here.risk),
    ]
    for parts in (here, there):
        live_a_little(parts, snapshot, requests)
    snapshot = take_snapshot(told_tables, models, here)

    report = decide_on_spark(
        told_files, tmp_path / "out", as_of=AS_OF, models=models, parts=there, engine=spark
    )
    ours = {d.decision_id: d for d in here.engine(snapshot).decide_many(requests)}
    again = book_decisions(tmp_path / "out", there.store)

    assert read_records(tmp_path / "out") == ours
    assert report.n_decisions == len(ours) > 40
    assert report.n_before == len(requests[::5])
    assert report.reasons == again == Counter(d.reason.value for d in ours.values())
    assert len(report.reasons) > 2
    assert {path.name for path in tmp_path.iterdir()} == {"here", "there", "out"}
    span = {"since": AS_OF - timedelta(days=9), "until": AS_OF + timedelta(days=9)}
    kept, booked = here.store.read_messages(**span), there.store.read_messages(**span)
    order = "message_id"
    pd.testing.assert_frame_equal(
        booked.sort_values(order, ignore_index=True), kept.sort_values(order, ignore_index=True)
    )


@pytest.mark.slow
def test_scores_on_spark_are_those_in_process(
    features_file: Path, models: Models, spark: SparkEngine, tmp_path: Path
) -> None:
    for trigger in (None, Trigger.INACTIVITY):
        scorer = make_scorer(
            models, features_file, mapper=spark, rules=default_rules(), trigger=trigger
        )
        n_rows = score_rows(scorer, features_file, mapper=spark, out=tmp_path / f"{trigger}.spark")
        score_rows(scorer, features_file, mapper=InProcess(), out=tmp_path / f"{trigger}.here")

        assert n_rows == 60
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / f"{trigger}.spark").sort_values("customer_id"),
            pd.read_parquet(tmp_path / f"{trigger}.here").sort_values("customer_id"),
            check_index_type=False,
        )


def test_churn_scores_are_those_of_the_snapshot(
    features_file: Path, told_tables: Tables, models: Models, tmp_path: Path
) -> None:
    snapshot = make_snapshot(told_tables, as_of=AS_OF, models=models, bandit=new_bandit())
    scorer = make_scorer(models, features_file, mapper=InProcess(), rules=default_rules())

    score_rows(scorer, features_file, mapper=InProcess(), out=tmp_path / "scores")

    found = pd.read_parquet(tmp_path / "scores").set_index("customer_id")
    found = found.loc[snapshot.customers.profile["customer_id"]]
    assert np.array_equal(found["p_churn"], snapshot.customers.p_churn, equal_nan=True)
    assert found["p_churn"].notna().any()
    told = [None if np.isnan(p) else TierBorders().find_tier(p) for p in found["p_churn"]]
    assert [None if pd.isna(tier) else tier for tier in found["tier"]] == told


def test_customers_who_are_gone_get_no_score(
    told_tables: Tables, models: Models, tmp_path: Path
) -> None:
    subscriptions = pd.DataFrame(
        {
            "customer_id": ["c001", "c002"],
            "valid_from": AS_OF - timedelta(days=50),
            "plan": "basic",
            "mrr_cents": 990,
            "status": ["active", "canceled"],
            "upsell_shown": False,
        }
    )
    subscribed = require_valid({**told_tables, "subscriptions": subscriptions})
    for n, company in enumerate((subscribed, dict(told_tables))):
        snapshot = make_snapshot(company, as_of=AS_OF, models=models, bandit=new_bandit())
        features, out = tmp_path / f"features{n}", tmp_path / f"scores{n}"
        write_features(company, EveryCustomer(AS_OF), features, features=ALL_FEATURES)
        scorer = make_scorer(models, features, mapper=InProcess(), rules=default_rules())
        score_rows(scorer, features, mapper=InProcess(), out=out)
        found = pd.read_parquet(out).set_index("customer_id")["p_churn"]
        expected = pd.Series(snapshot.customers.p_churn, snapshot.customers.profile["customer_id"])
        assert found.notna().sum() == (1 if company is subscribed else 60)
        assert np.array_equal(found.loc[expected.index], expected, equal_nan=True)


def test_channel_scores_are_those_of_the_model(
    features_file: Path, models: Models, tmp_path: Path
) -> None:
    scorer = make_scorer(
        models,
        features_file,
        mapper=InProcess(),
        rules=default_rules(),
        trigger=Trigger.ABANDONED_CART,
    )
    score_rows(scorer, features_file, mapper=InProcess(), out=tmp_path / "scores")

    features, found = pd.read_parquet(features_file), pd.read_parquet(tmp_path / "scores")
    assert models.channel is not None
    X = features[list(models.channel.signature.names)].to_numpy(np.float64)
    on_sms = np.full(len(X), CHANNELS.index(Channel.SMS))
    sendings = models.channel.describe(X, channel=on_sms, trigger=Trigger.ABANDONED_CART)
    expected = models.channel.predict(Outcome.CLICKED, sendings)
    assert found["customer_id"].tolist() == features["customer_id"].tolist()
    assert np.array_equal(found["p_clicked_sms"], expected)
    levels = models.channel.find_levels(Outcome.OPENED, sendings)
    assert found["level_sms"].tolist() == levels.tolist()


def test_channel_scores_use_the_segment_where_the_file_has_it(
    features_file: Path, models: Models, tmp_path: Path
) -> None:
    assert models.channel is not None
    opened = models.channel.outcomes[Outcome.OPENED]
    effect = np.array([[1.0] * len(CHANNELS), [0.0] * len(CHANNELS)])
    segments = GroupEffects(("vip",), effect, np.array([[1.0] * len(CHANNELS), [0.0] * 5]))
    rates = replace(opened.rates, segments=segments)
    changed = {**models.channel.outcomes, Outcome.OPENED: replace(opened, rates=rates)}
    channel = replace(models.channel, outcomes=changed)
    rows = pd.read_parquet(features_file)
    names = [None if n % 2 else "vip" for n in range(len(rows))]
    rows.assign(segment=pd.Series(names, dtype="str")).to_parquet(tmp_path / "with_segments")
    found = {}
    for file in (features_file, tmp_path / "with_segments"):
        scorer = make_scorer(
            replace(models, channel=channel),
            file,
            mapper=InProcess(),
            rules=default_rules(),
            trigger=Trigger.INACTIVITY,
        )
        score_rows(scorer, file, mapper=InProcess(), out=tmp_path / "scores")
        found[file] = pd.read_parquet(tmp_path / "scores")
    without, with_segments = found.values()
    odds = [p["p_opened_email"] / (1 - p["p_opened_email"]) for p in (without, with_segments)]
    is_vip = np.arange(len(rows)) % 2 == 0
    np.testing.assert_allclose(odds[1] / odds[0], np.where(is_vip, np.e, 1.0))
    assert set(with_segments.loc[is_vip, "level_email"]) == {Level.SEGMENT}
    assert set(without["level_email"]) == {Level.PRIOR}


def test_make_scorer_says_what_is_missing(
    features_file: Path, models: Models, tmp_path: Path
) -> None:
    few = pq.read_table(features_file, columns=["customer_id", "as_of", "tenure_days"])
    pq.write_table(few, tmp_path / "few.parquet")

    with pytest.raises(BadInputError, match=r"few.parquet lacks \d+ columns such as \w+"):
        make_scorer(models, tmp_path / "few.parquet", mapper=InProcess(), rules=default_rules())
    with pytest.raises(SourceUnreadableError, match="no parquet file is there"):
        make_scorer(Models(), tmp_path / "none", mapper=InProcess(), rules=default_rules())
    with pytest.raises(NotReadyError, match="no churn champion yet"):
        make_scorer(Models(), features_file, mapper=InProcess(), rules=default_rules())
    with pytest.raises(NotReadyError, match="no channel champion yet"):
        make_scorer(
            Models(),
            features_file,
            mapper=InProcess(),
            rules=default_rules(),
            trigger=Trigger.INACTIVITY,
        )


def test_the_bandit_of_the_log_is_that_of_the_frames(
    told_tables: Tables, told_files: TableFiles, models: Models, tmp_path: Path
) -> None:
    parts = open_parts(tmp_path)
    snapshot = take_snapshot(told_tables, models, parts)
    long_ago = AS_OF - timedelta(days=20)
    ids = snapshot.customers.profile["customer_id"].tolist()
    decided = parts.engine(snapshot).decide_many(
        [ask(id_, Trigger.PRICE_DROP, at=long_ago) for id_ in ids]
    )
    sent = [m.message_id for d in decided for m in d.messages]
    clicked_at = AS_OF - timedelta(days=15)
    clicks = [OutcomeEvent(message_id=m, outcome=Outcome.CLICKED, at=clicked_at) for m in sent[::3]]
    parts.engine(snapshot).report(clicks)

    learned = learn_bandit(told_files, parts.store, as_of=AS_OF, policy=parts.policy, engine=DUCKDB)

    expected = learn_bandit(told_tables, parts.store, as_of=AS_OF, policy=parts.policy)
    assert learned == expected
    assert learned.version > len(sent) > 0


def test_booking_keeps_what_is_there_and_refuses_another_request(
    told_tables: Tables, models: Models, tmp_path: Path
) -> None:
    parts = open_parts(tmp_path / "a")
    requests = [ask(f"c{n:03d}", Trigger.INACTIVITY) for n in range(12)]
    decided = parts.engine(take_snapshot(told_tables, models, parts)).decide_many(requests)
    pq.write_table(to_table(decided, requests), tmp_path / "decisions")
    store = Store(tmp_path / "b.db")
    with store.transaction() as session:
        session.add_decisions(decided[:5], requests[:5])

    first, second = (book_decisions(tmp_path / "decisions", store) for _ in range(2))

    assert first == second == Counter(d.reason.value for d in decided)
    with store.reading() as session:
        assert session.find_by_keys(requests) == {d.idempotency_key: d for d in decided}
    other = [r.model_copy(update={"trigger": Trigger.PRICE_DROP}) for r in requests]
    pq.write_table(to_table(decided, other), tmp_path / "others")
    with pytest.raises(ConflictError, match="was used for a different request"):
        book_decisions(tmp_path / "others", store)
    store.close()


def test_cases_carry_what_the_store_knows(
    told_tables: Tables, models: Models, tmp_path: Path
) -> None:
    parts = open_parts(tmp_path / "home")
    snapshot = take_snapshot(told_tables, models, parts)
    requests = [ask(f"c{n:03d}", Trigger.INACTIVITY) for n in range(60)]
    live_a_little(parts, snapshot, requests)

    n_before = write_cases(requests, parts.store, out=tmp_path / "cases")

    cases = pd.read_parquet(tmp_path / "cases")
    assert n_before == cases["earlier"].notna().sum() == 12
    assert cases["position"].tolist() == list(range(60))
    assert cases["memory"].notna().any()
    assert cases["memory"].isna().any()


def test_a_home_is_claimed_by_few_customers(
    told_tables: Tables, told_files: TableFiles, tmp_path: Path
) -> None:
    claim_home_by_sample(tmp_path / "a", told_files, engine=DUCKDB)
    claim_home(tmp_path / "b", told_tables)

    remembered = [(tmp_path / name / "company.json").read_text() for name in "ab"]
    assert remembered[0] == remembered[1]
    claim_home_by_sample(tmp_path / "b", told_files, engine=DUCKDB)
    others = {
        "customers": told_tables["customers"].assign(customer_id=lambda f: "x" + f.customer_id)
    }
    with pytest.raises(ConfigurationError, match="of another company"):
        claim_home_by_sample(tmp_path / "a", others, engine=DUCKDB)
