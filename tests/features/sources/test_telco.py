import gzip
from pathlib import Path

import pandas as pd
import pytest

from features.checks import find_violations
from features.errors import BadInputError, SourceUnreadableError
from features.sources import Adapted, read_telco
from features.sources.telco import SNAPSHOT_AT
from features.tables import known_before


@pytest.fixture(scope="module")
def path(shared_data: Path) -> Path:
    return shared_data / "telco_churn" / "telco_customer_churn.csv.gz"


@pytest.fixture(scope="module")
def adapted(path: Path) -> Adapted:
    return read_telco(path)


def test_read_telco_has_the_known_figures(adapted: Adapted) -> None:
    customers, subscriptions = adapted.tables["customers"], adapted.tables["subscriptions"]
    churned = subscriptions["status"] == "canceled"
    assert len(customers) == 7043
    assert churned.sum() == 1869
    assert round(churned.sum() / len(customers), 4) == 0.2654
    assert len(subscriptions) == 7043 + 1869
    assert customers["total_charges_cents"].isna().sum() == 11
    assert subscriptions.loc[~churned, "mrr_cents"].sum() == 45_611_660


def test_read_telco_is_valid_and_says_what_it_assumes(adapted: Adapted) -> None:
    assert find_violations(adapted.tables, as_of=SNAPSHOT_AT) == []
    assert any("no times" in assumption for assumption in adapted.assumptions)


def test_read_telco_puts_churn_after_the_moment(adapted: Adapted) -> None:
    """At the moment everybody is known and active; who left does so from it on."""
    known = known_before(adapted.tables, SNAPSHOT_AT)
    assert len(known["customers"]) == 7043
    assert known["subscriptions"]["status"].eq("active").all()
    assert known["subscriptions"]["customer_id"].nunique() == 7043
    after = adapted.tables["subscriptions"].query("valid_from >= @SNAPSHOT_AT")
    assert after["status"].eq("canceled").all()
    assert len(after) == 1869


def test_read_telco_keeps_tenure_in_the_time_since_sign_up(adapted: Adapted, path: Path) -> None:
    raw = pd.read_csv(path, usecols=["customerID", "tenure"]).set_index("customerID")["tenure"]
    signed_up_at = adapted.tables["customers"].set_index("customer_id")["signed_up_at"]
    months = (SNAPSHOT_AT.year - signed_up_at.dt.year) * 12 + 1 - signed_up_at.dt.month
    # A day is added to whole months, so the started month counts.
    assert (months - 1).sort_index().tolist() == raw.sort_index().tolist()


def test_read_telco_keeps_further_columns_and_no_consent(adapted: Adapted) -> None:
    customers = adapted.tables["customers"]
    assert customers["internet_service"].value_counts().to_dict() == {
        "Fiber optic": 3096,
        "DSL": 2421,
        "No": 1526,
    }
    assert customers["consent_email"].isna().all()
    assert not any("churn" in column.lower() for column in customers)


@pytest.fixture
def rows(path: Path) -> list[str]:
    with gzip.open(path, "rt") as file:
        return [next(file) for _ in range(4)]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (",Churn", ",Left", "lacks Churn; expected"),
        ("7590-VHVEG,Female,0,Yes,No,1,", "7590-VHVEG,Female,0,Yes,No,1.5,", "tenure='1.5'"),
        ("29.85,29.85,No", "29.85,29.85,Maybe", r"customerID=7590-VHVEG\): Churn='Maybe'"),
        ("29.85,29.85", "cheap,29.85", "MonthlyCharges='cheap', expected a number"),
        ("29.85,29.85", "29.85,-1", "TotalCharges='-1', expected a number of 0 or more"),
    ],
)
def test_read_telco_names_what_is_wrong(
    rows: list[str], tmp_path: Path, old: str, new: str, reason: str
) -> None:
    path = tmp_path / "telco.csv"
    path.write_text("".join(rows))
    assert len(read_telco(path).tables["customers"]) == 3
    path.write_text("".join(rows).replace(old, new))
    with pytest.raises(BadInputError, match=reason) as refused:
        read_telco(path)
    assert str(path) in str(refused.value)


def test_read_telco_says_when_there_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadableError, match=r"nothing\.csv: cannot be read"):
        read_telco(tmp_path / "nothing.csv")
