"""Scores of a file: the same risk, tier and factors as the service gives one by one."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.churn import CHURN_FEATURES
from features.churn.risk import RiskRules, TierSource, default_rules
from features.engines.batches import InProcess
from features.engines.spark import SparkEngine
from features.errors import BadInputError
from serving.batch.scores import count_gone, make_scorer, score_rows
from serving.copy.settings import CopySettings
from serving.requests import churn_risk_requests
from serving.risk.answer import RiskDesk
from serving.risk.records import ChurnQuestion
from serving.snapshot.state import Snapshot

BY_SCORE = default_rules().model_copy(update={"tier_from": TierSource.RISK_SCORE})


@pytest.fixture
def features_file(company: Snapshot, tmp_path: Path) -> Path:
    """What `opportune features` would write of the company; the last customer's plan has ended."""
    customers = company.customers
    frame = pd.DataFrame(customers.churn, columns=list(CHURN_FEATURES.names))
    frame.insert(0, "customer_id", customers.profile["customer_id"].to_numpy())
    frame.insert(1, "as_of", pd.Timestamp(company.as_of).as_unit("us"))
    frame["subscription_active"] = np.where(np.isnan(customers.p_churn), 0.0, 1.0)
    frame.to_parquet(tmp_path / "features.parquet", index=False)
    return tmp_path / "features.parquet"


def score(
    company: Snapshot, features: Path, out: Path, *, rules: RiskRules, with_factors: bool = True
) -> pd.DataFrame:
    scorer = make_scorer(
        company.models, features, mapper=InProcess(), rules=rules, with_factors=with_factors
    )
    score_rows(scorer, features, mapper=InProcess(), out=out)
    return pd.read_parquet(out)


def test_a_feature_that_is_no_number_is_named(
    company: Snapshot, features_file: Path, tmp_path: Path
) -> None:
    assert company.models.churn is not None
    name = company.models.churn.signature.names[0]
    frame = pd.read_parquet(features_file)
    frame[name] = "many"
    frame.to_parquet(features_file, index=False)
    with pytest.raises(BadInputError, match=rf"{name} is of type .*string, expected numbers"):
        score(company, features_file, tmp_path / "scores", rules=default_rules())


@pytest.mark.parametrize("rules", [default_rules(), BY_SCORE])
def test_a_file_of_scores_says_what_the_service_says(
    rules: RiskRules, company: Snapshot, features_file: Path, tmp_path: Path
) -> None:
    found = score(company, features_file, tmp_path / "scores", rules=rules)

    desk = RiskDesk(rules, CopySettings())
    for row in found.itertuples(index=False):
        answer = desk.explain(ChurnQuestion(customer_id=row.customer_id), company)
        if answer.p_churn is None:
            assert pd.isna(pd.Series(row[2:-1])).all()
            assert row.reason == answer.reason
            continue
        assert pd.isna(row.reason)
        assert (row.p_churn, row.risk_score) == (answer.p_churn, answer.risk_score)
        assert row.tier == answer.tier
        assert row.factors == ", ".join(reason.factor for reason in answer.reasons)
    at_risk = {r.customer_id for r in churn_risk_requests(company, rules=rules)}
    assert set(found.loc[found["tier"].isin(["high", "critical"]), "customer_id"]) == at_risk
    assert len(set(found["tier"].dropna())) > 1
    assert (found["factors"] == "").any()
    assert found["factors"].str.contains("low_usage").any()


def test_factors_are_left_out_where_nobody_asks(
    company: Snapshot, features_file: Path, tmp_path: Path
) -> None:
    without = score(
        company, features_file, tmp_path / "a", rules=default_rules(), with_factors=False
    )
    with_them = score(company, features_file, tmp_path / "b", rules=default_rules())

    pd.testing.assert_frame_equal(without, with_them.drop(columns="factors"))


def test_a_file_of_customers_who_are_gone_has_no_scores(
    company: Snapshot, features_file: Path, tmp_path: Path
) -> None:
    pd.read_parquet(features_file).assign(subscription_active=0.0).to_parquet(features_file)

    found = score(company, features_file, tmp_path / "scores", rules=default_rules())

    assert found[["p_churn", "risk_score", "tier", "factors"]].isna().all(axis=None)
    assert set(found["reason"]) == {"already_gone"}
    assert count_gone(tmp_path / "scores", mapper=InProcess()) == len(found)


@pytest.mark.slow
def test_scores_and_factors_on_spark_are_those_in_process(
    company: Snapshot, features_file: Path, spark: SparkEngine, tmp_path: Path
) -> None:
    here = score(company, features_file, tmp_path / "here", rules=BY_SCORE)
    scorer = make_scorer(
        company.models, features_file, mapper=spark, rules=BY_SCORE, with_factors=True
    )
    score_rows(scorer, features_file, mapper=spark, out=tmp_path / "there")

    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "there").sort_values("customer_id", ignore_index=True),
        here.sort_values("customer_id", ignore_index=True),
    )
