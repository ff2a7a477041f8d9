"""Tasks, customers at risk, cases and the log."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from markupsafe import escape
from sqlalchemy import create_engine, text

from features.churn import CHURN_FEATURES
from features.churn.risk import TierBorders, default_rules
from features.vocabulary import Tier
from serving.console.at_risk import (
    MONTHS,
    RiskOrder,
    TierCounts,
    count_tiers,
    rank_customers,
)
from serving.copy.settings import CopySettings
from serving.risk.answer import RiskDesk
from serving.risk.records import ChurnQuestion
from serving.snapshot.state import Snapshot
from serving.store.tasks import TaskOutcome, TaskRow, TaskState
from tests.serving.console.conftest import Office
from tests.serving.console.scene import CASE, INCIDENT, LATE_TASK, SUBJECT, TASK


def task_of(office: Office, task_id: str) -> TaskRow:
    with office.store.reading() as session:
        task = session.tasks.find(task_id)
    assert task is not None
    return task


def test_task_is_taken_and_finished_and_its_case_hears_it(office: Office) -> None:
    browser = office.sign_in("Omar")

    taken = browser.post("/tasks/take", task_id=LATE_TASK)
    assert "Usage coaching call" in browser.read("/tasks?whose=mine")
    answer = browser.post(
        "/tasks/finish", task_id=LATE_TASK, outcome="stays", note=" they stay ", whose="mine"
    )

    task = task_of(office, LATE_TASK)
    assert taken.headers["location"] == f"/console/tasks#v-{LATE_TASK}"
    assert answer.headers["location"] == "/console/tasks?whose=mine"
    assert (task.state, task.taken_by, task.outcome, task.note) == (
        TaskState.DONE,
        "Omar",
        TaskOutcome.STAYS,
        "they stay",
    )
    assert "they stay" in browser.read("/tasks?whose=settled")
    with office.store.transaction() as session:
        assert session.flows.read_signal(f"case/{CASE}", ["task"], at=office.clock.now) is not None
        assert "finishes the task" in [*session.audit.read(subject=f"case/{CASE}")][-1].words


def test_task_of_others_is_theirs(office: Office) -> None:
    omar, dana = office.sign_in("Omar"), office.sign_in("Dana")
    omar.post("/tasks/take", task_id=TASK)

    refused = dana.post("/tasks/finish", task_id=TASK, outcome="done")

    assert refused.status_code == 409
    assert "Somebody else has taken it" in refused.text
    assert '<a class="button" href="/console/tasks">' in refused.text
    assert dana.post("/tasks/take", task_id=TASK).status_code == 409
    assert dana.post("/tasks/take", task_id="none").status_code == 404
    assert dana.post("/tasks/finish", task_id=TASK, outcome="nonsense").status_code == 400
    assert task_of(office, TASK).taken_by == "Omar"


def test_task_that_nobody_needs_is_dropped_whoever_has_it(office: Office) -> None:
    omar, dana = office.sign_in("Omar"), office.sign_in("Dana")
    omar.post("/tasks/take", task_id=TASK)
    omar.post("/tasks/finish", task_id=LATE_TASK, outcome="done")
    office.clock.now += timedelta(minutes=1)

    assert dana.post("/tasks/drop", task_id=TASK, why="").status_code == 400
    assert office.sign_in("Vera").post("/tasks/drop", task_id=TASK, why="so").status_code == 403
    assert dana.post("/tasks/drop", task_id=TASK, why="they left").status_code == 303

    assert (task_of(office, TASK).state, task_of(office, TASK).note) == ("dropped", "they left")
    page = dana.read("/tasks?whose=settled")
    assert "the last ones that were settled come first" in page
    assert page.index("Audit of the set-up") < page.index("Usage coaching call")
    assert "There is no need of it" not in page
    assert dana.post("/tasks/drop", task_id=TASK, why="again").status_code == 303
    assert dana.post("/tasks/drop", task_id=LATE_TASK, why="so").status_code == 409


def test_overdue_tasks_are_marked_and_come_first(office: Office) -> None:
    page = office.sign_in("Dana").read("/tasks")

    assert "Overdue since 14 Jul 2026, 09:00 (Almaty)" in page
    assert "Due 15 Jul 2026, 08:00 (Almaty)" in page
    assert page.index("Usage coaching call") < page.index("Audit of the set-up")
    overdue = office.sign_in("Dana").read("/tasks?whose=overdue")
    assert "Audit of the set-up" not in overdue


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "Nothing waits."),
        ("/incidents", "None yet."),
        ("/cases", "opportune playbooks start"),
        ("/tasks", "Nothing is to be done."),
        ("/log", "Nothing was written yet"),
    ],
)
def test_empty_pages_say_what_would_fill_them(office: Office, path: str, words: str) -> None:
    browser = office.sign_in("Dana")
    engine = create_engine(f"sqlite:///{office.store._engine.url.database}")
    with engine.begin() as connection:
        for table in (
            "corridor_takes",
            "corridor_words",
            "corridor_actions",
            "burst_complaints",
            "bursts",
            "playbook_offers",
            "playbook_cases",
            "playbook_tasks",
            "audit_log",
        ):
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()

    assert words in browser.read(path)


def test_customers_come_in_the_order_that_is_asked_for(snapshot: Snapshot) -> None:
    customers = snapshot.customers

    by_risk = rank_customers(customers, order=RiskOrder.RISK, most=10)
    by_value = rank_customers(customers, order=RiskOrder.VALUE, most=len(customers.p_churn))

    risks = [one.p_churn for one in by_risk]
    assert risks == sorted(risks, reverse=True)
    assert risks[0] == np.nanmax(customers.p_churn)
    stakes = [one.at_stake_cents for one in by_value]
    known = [stake for stake in stakes if stake is not None]
    assert stakes[: len(known)] == sorted(known, reverse=True)
    for one in by_value:
        if one.mrr_cents is not None:
            assert one.at_stake_cents == pytest.approx(one.p_churn * one.mrr_cents * MONTHS, abs=1)
    assert len(by_value) == np.isfinite(customers.p_churn).sum()


def test_tiers_are_counted_as_they_are_decided(office: Office, snapshot: Snapshot) -> None:
    customers, names = snapshot.customers, CHURN_FEATURES.names
    rules = default_rules().model_copy(
        update={"borders": TierBorders(medium=0.1, high=0.5, critical=0.9)}
    )
    risk = rules.assess(customers.p_churn, features=customers.churn, names=names)

    counts = count_tiers(customers, rules=rules)

    assert counts.n_by_tier == {tier: risk.tiers.count(tier) for tier in reversed(Tier)}
    assert counts.n == np.isfinite(customers.p_churn).sum()
    few = TierCounts({**dict.fromkeys(Tier, 0), Tier.LOW: 200, Tier.HIGH: 2}, counts.above)
    assert few.few_are_upper
    assert not replace(few, n_by_tier={**few.n_by_tier, Tier.CRITICAL: 1}).few_are_upper
    assert f"Of {counts.n} whose risk is known" in office.sign_in("Vera").read("/customers")


def test_customer_is_explained_in_the_language_that_is_asked_for(
    office: Office, snapshot: Snapshot
) -> None:
    risk = RiskDesk(default_rules(), CopySettings(currency="KZT"))
    name, answer = next(
        (one, told)
        for one in snapshot.customers.profile["customer_id"]
        if (told := risk.explain(ChurnQuestion(customer_id=one, language="ru"), snapshot)).signals
    )
    browser = office.sign_in("Vera")

    page = browser.read(f"/customers/{name}?language=ru")

    assert answer.p_churn is not None
    assert f"probability of {answer.p_churn:.0%}" in page
    for words in [one.words for one in (*answer.reasons, *answer.signals, *answer.rules)]:
        assert escape(words) in page
    assert answer.signals[0].words not in browser.read(f"/customers/{name}")
    found = browser.http.get("/console/customers", params={"customer": name})
    assert found.headers["location"] == f"/console/customers/{name}"


@pytest.mark.parametrize("name", ["nobody", "x" * 300, "..%2f..%2fetc", "%00", "a%0d%0ab"])
def test_customer_whom_nobody_knows_is_not_found(office: Office, name: str) -> None:
    answer = office.sign_in("Vera").http.get(f"/console/customers/{name}")

    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers


def test_strange_names_stay_within_their_address(office: Office) -> None:
    answer = office.sign_in("Vera").http.get(
        "/console/customers", params={"customer": "a?b=1#c\r\nX: 1"}
    )

    assert answer.status_code == 303
    assert answer.headers["location"] == "/console/customers/a%3Fb%3D1%23c%0D%0AX%3A%201"
    assert "x" not in answer.headers


def test_case_tells_its_offer_tasks_and_story(office: Office) -> None:
    page = office.sign_in("Dana").read(f"/cases/{CASE}")

    for words in ("Case of c010", "9,000 KZT", "Usage coaching call", "49,000 KZT", "holds"):
        assert words in page
    assert "<dt>Contact</dt><dd>Persuadable, says the model retention 3</dd>" in page
    assert office.sign_in("Dana").read("/cases/none", status=404)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("words = 'nothing'", "nothing"),
        ("at_us = 9000000000000000000", "At no moment that can be read"),
        ("at_us = 'abc'", "At no moment that can be read"),
    ],
)
def test_log_is_whole_until_somebody_changes_it(office: Office, change: str, shown: str) -> None:
    browser = office.sign_in("Vera")
    before = browser.read("/log")
    engine = create_engine(f"sqlite:///{office.store._engine.url.database}")
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE audit_log SET {change} WHERE seq = 2"))
    engine.dispose()

    after = browser.read("/log")

    assert ">whole<" in before
    assert "The log is not what was written: row 2 was changed" in after
    assert shown not in before
    assert shown in after


def test_log_of_a_subject_is_its_own(office: Office) -> None:
    page = office.sign_in("Vera").read(f"/log?subject={SUBJECT}")

    assert "5 customers complain of heat" in page
    assert f'href="/console/incidents/{INCIDENT}"' in page
    assert "may come into the console" not in page
    assert "Nothing was written about" in office.sign_in("Vera").read("/log?subject=none")
