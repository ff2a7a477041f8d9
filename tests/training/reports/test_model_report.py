from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import lightgbm
import numpy as np
import pytest

from training.evaluation import Estimate, HeldOut, Judged
from training.gate import Evidence, Promote
from training.monitoring.columns import ColumnProfile
from training.monitoring.monitor import ModelHealth
from training.monitoring.profile import FeatureUse, Profile
from training.monitoring.status import Check, Finding, Status
from training.registry.audit import Event, EventKind
from training.registry.entries import ModelName
from training.registry.servable import BoosterModel, FeatureSignature
from training.registry.tracking import Tracking, TrainingRecord
from training.reports.figures import find_measured, tell_people
from training.reports.model_card import write_card
from training.reports.model_report import make_report, read_reported
from training.reports.plots import draw_lift
from training.reports.purposes import purpose_of
from training.reports.stability import find_stability

UNTIL = datetime(2026, 6, 1, tzinfo=UTC)
METRICS = {
    "n_test": 1_000.0,
    "auc": 0.81,
    "auc_low": 0.79,
    "auc_high": 0.83,
    "auc_baseline": 0.7,
    "auc_baseline_low": 0.68,
    "auc_baseline_high": 0.72,
    "auc_gain": 0.11,
    "auc_gain_low": 0.08,
    "auc_gain_high": 0.14,
    "capacity.precision": 0.41,
    "capacity.precision_low": 0.33,
    "capacity.precision_high": 0.49,
    "capacity.precision_baseline": 0.2,
    "capacity.recall": 0.3,
    "capacity.lift": 0.41 / 0.12,
    "slice.language.kk.n": 300.0,
    "slice.language.kk.auc": 0.7,
    "slice.language.kk.auc_gap": -0.11,
    "slice.language.kk.calibration": 0.02,
    "slice.language.kk.loss_over_baseline": 0.01,
    "slice.language.kk.loss_over_baseline_low": -0.02,
    "slice.language.kk.loss_over_baseline_high": 0.04,
    "risk.score.auc": 0.8,
    "risk.p_churn.auc": 0.81,
    "risk.gain.auc": -0.01,
    "risk.gain.auc_low": -0.02,
    "risk.gain.auc_high": -0.004,
}


def make_record() -> TrainingRecord:
    X = np.linspace(-1.0, 1.0, 300)[:, None]
    rows = lightgbm.Dataset(X, label=X[:, 0] > 0, feature_name=["visits_30d"])
    params = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    text = lightgbm.train(params, rows, num_boost_round=3).model_to_string()
    labels = np.arange(200) % 5 == 0
    by_model = {"model": np.where(labels, 0.9, 0.1), "rule": np.full(200, 0.2)}
    return TrainingRecord(
        name=ModelName.CHURN,
        model=BoosterModel("churn", "", FeatureSignature(("visits_30d",), "d1"), text),
        trained_until=UNTIL,
        fingerprint="ab" * 32,
        tables=("activity", "customers"),
        params={"seed": 1, "capacity": "50", "baseline": "recency only", "n_train": 5_000},
        metrics=METRICS,
        plots={"lift": draw_lift(by_model, labels=labels)},
        notes={"warning": "only <30> days of history"},
    )


def make_profile() -> Profile:
    values = np.random.default_rng(1).normal(size=800)
    column = ColumnProfile.of("visits_30d", values, blocks=np.repeat(np.arange(8), 100))
    shares = {"visits_30d": (0.5, 0.6), "orders_90d": (0.3, 0.25), "tickets_30d": (0.2, 0.15)}
    use = tuple(FeatureUse(name=name, shares=pair) for name, pair in shares.items())
    return Profile(known_until=UNTIL, inputs=(column,), use=use)


def make_documents(record: TrainingRecord) -> dict[str, str]:
    profile = make_profile()
    card = write_card(record, profile, known_until=UNTIL)
    return {"profile.json": profile.to_json(), "card.md": card}


@pytest.fixture
def tracking(make_tracking: Callable[[], Tracking]) -> Tracking:
    """Two versions of a churn model, the first of them served."""
    tracking, record = make_tracking(), make_record()
    record = replace(record, documents=make_documents(record))
    tracking.log_training(record)
    promoted = Promote(
        ModelName.CHURN, "1", Evidence(10, 10, 0.01, Estimate(-0.1, -0.2, -0.05), None)
    )
    event = Event(EventKind.PROMOTE, "1", None, by="cron", at=UNTIL, known_until=UNTIL)
    tracking.set_champion(promoted, event=event)
    tracking.log_training(record)
    held = Event(EventKind.HOLD, "2", "1", ("worse for language kk",), "cron", UNTIL, UNTIL)
    tracking.log_event(ModelName.CHURN, held)
    return tracking


def test_report_tells_in_peoples_terms_what_is_served_and_what_the_gate_said(
    tracking: Tracking,
) -> None:
    (model,) = read_reported(tracking, health={})
    html = make_report([model], made_on="1 June 2026").to_html()

    assert model.shown.version == "1"
    for said in (
        (
            "Of 100 customers that it names (the first 50 of each list), 41 leave within 30 days "
            "(between 33 and 49); by chance 12; picked by the plain baseline 20."
        ),
        "The lists hold 30 % of all customers who leave within 30 days.",
        "Version 1 is served",
        "from what was known before 01 June 2026",
        "by <code>opportune report model</code> from the registry",
        "Do not use it for judging what a call or a message would change",
        "0.810 [0.790, 0.830]",
        "language kk",
        "-0.110",
        "risk rules help?",
        "worse for language kk",
        "It leans most on visits_30d",
        "Note: only &lt;30&gt; days of history",
        "data:image/png;base64,",
        "data:image/svg+xml;base64,",
        "# opportune-churn",
        "not looked at",
    ):
        assert said in html, said
    assert "<30>" not in html


def test_report_says_what_worries_today(tracking: Tracking) -> None:
    finding = Finding("visits_30d", Status.ALARM, 0.9, 0.1, 0.25, "visits_30d: median 3 to 9")
    check = Check("inputs", Status.ALARM, "PSI", (finding,), 1, "asked about other customers")
    health = ModelHealth(ModelName.CHURN, "1", UNTIL + timedelta(days=9), UNTIL, (check,))
    models = read_reported(tracking, health={ModelName.CHURN: health})
    html = make_report(models, made_on="2 July 2026", warning="the feed died").to_html()

    worry = "something must be done. inputs (alarm): asked about other customers"
    assert f"As of 10 June 2026: {worry}" in html
    assert "visits_30d: median 3 to 9 (1 looked at)" in html
    assert "How it did as of 10 June 2026, beside how it was until 01 June 2026" in html
    assert "how it did as of 10 June 2026</th>" in html
    assert "Mind: the feed died" in html
    assert "oday" not in html


def test_report_of_nothing_says_what_to_do(make_tracking: Callable[[], Tracking]) -> None:
    assert read_reported(make_tracking(), health={}) == ()
    assert "opportune train all" in make_report((), made_on="1 June 2026").to_html()


def test_report_of_what_was_never_promoted_says_that_nothing_is_served(
    make_tracking: Callable[[], Tracking],
) -> None:
    tracking = make_tracking()
    tracking.log_training(make_record())
    (model,) = read_reported(tracking, health={})

    assert (model.profile, model.card) == (None, "")
    html = make_report([model], made_on="1 June 2026").to_html()
    assert "Nothing is served" in html
    assert "<td>not served</td><td" in html
    assert "not looked at" not in html


def test_card_has_every_part_and_the_way_back() -> None:
    card = write_card(make_record(), make_profile(), known_until=UNTIL)

    headings = [line for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Intended use",
        "## Do not use it for",
        "## Data",
        "## Features",
        "## How good it is",
        "## Slices",
        "## Limits",
        "## Ethical notes",
        "## Roll back",
    ]
    for said in (
        "ab" * 32,
        "5,000 rows to fit",
        "visits_30d 55.0% (50.0% to 60.0%)",
        (
            "| ranking (AUC; chance .5) | 0.810 [0.790, 0.830] | 0.700 [0.680, 0.720] | "
            "+0.110 [+0.080, +0.140] |"
        ),
        "| language kk | 300 | 0.700 | -0.110 | +0.020 | +0.010 [-0.020, +0.040] |",
        "only <30> days of history",
        "`opportune rollback churn --reason TEXT`",
    ):
        assert said in card, said


def test_models_without_a_list_are_told_by_the_tenth_that_they_rate_highest() -> None:
    told_by = {"precision": 0.3, "precision_low": 0.26, "precision_high": 0.34, "lift": 1.5}
    told_by |= {"recall": 0.15, "precision_baseline": 0.25}
    metrics = {f"opened.highest.{name}": value for name, value in told_by.items()}
    purpose = purpose_of(ModelName.CHANNEL)

    assert tell_people(metrics, params={}, purpose=purpose) == (
        "Of 100 messages among the tenth that it rates highest, 30 are opened by a person within 7 "
        "days (between 26 and 34); by chance 20; picked by the plain baseline 25. That tenth holds "
        "15 % of all messages that are opened by a person within 7 days."
    )
    assert tell_people({}, params={}, purpose=purpose) == ""


def test_card_of_a_model_without_an_auc_has_the_loss_of_its_slices() -> None:
    over = {"loss_over_baseline": 0.01, "loss_over_baseline_low": -0.02, "n": 300.0}
    over["loss_over_baseline_high"] = 0.04
    metrics = {f"slice.language.kk.{name}": value for name, value in over.items()}
    record = replace(make_record(), name=ModelName.SEND_TIME, metrics=metrics)
    card = write_card(record, make_profile(), known_until=UNTIL)

    assert "| slice | rows | loss less the baseline's |" in card
    assert "| language kk | 300 | +0.010 [-0.020, +0.040] |" in card
    assert "large enough" not in card


def test_card_tells_slices_that_were_too_small_from_slices_that_were_not_asked() -> None:
    none = replace(make_record(), metrics={})
    judged = Judged(np.ones(3), None)
    ids, moments = np.array(list("abc"), dtype=object), np.zeros(3, dtype="datetime64[us]")
    asked = replace(none, held_out=HeldOut(ids, moments, ours=judged, baseline=judged))

    cards = [write_card(one, make_profile(), known_until=UNTIL) for one in (none, asked)]
    assert "Slices are not asked of this model" in cards[0]
    assert "No slice of the customers was large enough" in cards[1]


def test_measures_are_named_in_words() -> None:
    metrics = {"loss": 3.9, "horizon_60.auc": 0.7, "loss_over_population": -0.2}
    ends = {f"{name}{end}": 0.5 for name in list(metrics)[1:] for end in ("_low", "_high")}
    measured = {one.words: one for one in find_measured(metrics | ends)}
    hours = "log loss of the hour that came, nats (lower is better), beside everybody's week"

    assert set(measured) == {"60 days ahead: ranking (AUC; chance .5)", hours}
    assert (measured[hours].value, measured[hours].baseline) == ("3.900", "4.100")
    assert measured[hours].gain == "-0.200 [+0.500, +0.500]"


def test_every_model_has_a_purpose() -> None:
    assert len({purpose_of(name).title for name in ModelName}) == len(ModelName)


def test_measures_of_several_outcomes_stand_in_the_order_of_a_messages_life() -> None:
    names = ("unsubscribed.auc", "clicked.auc", "opened.brier", "opened.auc", "delivered.log_loss")
    metrics = {f"{name}{end}": 0.5 for name in names for end in ("", "_low", "_high")}

    measured = [(one.outcome, one.measure) for one in find_measured(metrics)]
    assert measured == [
        ("delivered", "log_loss"),
        ("opened", "auc"),
        ("clicked", "auc"),
        ("unsubscribed", "auc"),
    ]


def test_stability_tells_a_steady_order_from_one_that_changes() -> None:
    steady = make_profile()
    names = [use.name for use in steady.use]
    turned = [(0.6, 0.1), (0.3, 0.3), (0.1, 0.6)]
    use = tuple(FeatureUse(name=n, shares=s) for n, s in zip(names, turned, strict=True))

    assert "is steady over 2 blocks" in find_stability(steady)
    assert "is not steady" in find_stability(steady.model_copy(update={"use": use}))
    assert find_stability(steady.model_copy(update={"use": ()})) == ""


def test_lift_begins_where_every_row_taken_is_a_hit_and_ends_at_chance() -> None:
    labels = np.arange(200) % 5 == 0
    figure = draw_lift({"model": np.where(labels, 0.9, 0.1)}, labels=labels)
    model = figure.axes[0].lines[0].get_ydata()

    assert model[0] == pytest.approx(5.0)
    assert model[-1] == pytest.approx(1.0)
