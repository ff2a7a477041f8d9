"""The commands by which people say what they want of an incident."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.errors import BadInputError
from serving.autopilot.acting.answers import VendorAnswer
from serving.cli.autopilot import autopilot
from serving.corridor.actions import ActionState
from serving.store.amends import AskState, IssuedCredit
from serving.store.store import Store
from tests.serving.autopilot.acting.chain import Chain
from tests.serving.autopilot.acting.conftest import ChainMaker
from tests.serving.autopilot.acting.test_incident import begin

CLI = CliRunner()


@pytest.fixture
def chain(
    new_chain: ChainMaker, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Chain:
    """An incident in the store that commands see, far enough behind their clock."""
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path))
    made = new_chain()
    begin(made)
    return made


def run(*words: str, status: int = 0) -> str:
    result = CLI.invoke(autopilot, list(words))
    assert result.exit_code == status, result.output
    return result.output


def test_incidents_and_show_tell_what_waits_and_what_happened(chain: Chain) -> None:
    incident = chain.burst.incident_id
    assert incident in run("incidents")
    told = run("show", incident)
    for words in ("respond/checking", "waiting", "told the owner of Abay 10", "thinks"):
        assert words in told
    found = json.loads(run("show", incident, "--json"))
    assert found["incident"]["customers"] == list(chain.burst.customer_ids)
    assert found["credits"] == []
    assert found["messages_waiting"] == {"n": 0, "first_at": None}
    assert found["notices"][0]["to"] == "owner/Abay 10"
    assert found["notices"][0]["handovers"] == []  # nothing delivers here
    assert "not taken in by" in told
    assert {one["kind"] for one in found["actions"]} == {
        "pause_marketing",
        "message_customers",
        "ask_vendor",
    }
    assert json.loads(run("incidents", "--json"))["incidents"][0]["incident"] == incident
    assert "there is none; open ones: heat-" in str(
        CLI.invoke(autopilot, ["show", "none"]).exception
    )


def test_a_veto_by_command_reaches_the_workflow(chain: Chain) -> None:
    action = f"{chain.workflow_id}/respond/checking"
    assert "vetoed" in run("veto", action, "--by", "Dana", "--note", "we know")
    chain.live(1)
    assert chain.state_of("respond/checking") is ActionState.VETOED
    assert "vetoed already" in run("veto", action, "--by", "Dana")


def test_an_approval_that_comes_too_late_or_of_nobody_is_refused(chain: Chain) -> None:
    """Commands go by the wall clock, on which the holds of this test expired long since."""
    action = f"{chain.workflow_id}/respond/checking"
    late = run("approve", action, "--by", "Dana", "--role", "owner", status=1)
    assert "refused by rule expired" in late
    wrong = run("approve", action, "--by", "Dana", "--role", "guest", status=1)
    assert "refused by rule role" in wrong
    both = run(
        "approve", f"{chain.workflow_id}/respond/*", "--by", "D", "--role", "owner", status=1
    )
    assert both.count("refused") == 2


def test_answers_are_passed_on_and_read_as_amounts(chain: Chain) -> None:
    incident = chain.burst.incident_id
    chain.live(6)
    said = run(
        "answer", incident, "cool-air", "yes", "--price", "14000", "--eta", "40", "--by", "D"
    )
    assert "cool-air: offered" in said
    with chain.store.reading() as session:
        ask = session.amends.find_ask(chain.workflow_id, "cool-air")
    assert ask is not None
    assert (ask.state, ask.price_cents, ask.eta_minutes) == (AskState.OFFERED, 1_400_000, 40)
    for price in ("much", "NaN", "-1", "0.001", "1e999999"):
        wrong = ["answer", incident, "klima", "yes", f"--price={price}", "--by", "D"]
        fault = str(CLI.invoke(autopilot, wrong).exception)
        assert f"--price {price!r}: expected an amount" in fault


def test_a_vendor_answers_by_mail_once_with_the_code_of_what_it_was_asked(
    chain: Chain, tmp_path: Path
) -> None:
    chain.live(6)
    (asked,) = [one for one in chain.notices if one.key.endswith("ask-cool-air")]
    code = asked.subject[-11:]
    head = f"Subject: Re: {asked.subject}\nContent-Type: text/plain; charset=utf-8\n\n"
    mails = {
        "1-guess": "Subject: [BCDFGHJKL]\n\nyes 1 / 1\n",
        "2-away": f"Auto-Submitted: auto-replied\n{head}yes 9000 / 40\n",
        "3-vague": f"{head}> Can you come?\nno problem, 14000\n",
        "4-yes": f"{head}Да, 14 000 / 40\n> Can you come?\n",
        "5-again": f"{head}yes 19000 / 40\n",
    }
    (tmp_path / "mails").mkdir()
    for name, text in mails.items():
        (tmp_path / "mails" / name).write_text(text, encoding="utf-8")
    told = json.loads(run("replies", str(tmp_path / "mails"), "--json"))
    assert told["answered"] == [{"vendor": "cool-air", "state": "offered"}]
    assert told["n_others"] == 1
    incident = chain.burst.incident_id
    assert {one["mail"]: one["why"] for one in told["refused"]} == {
        "1-guess": "nothing that still goes on was asked under the code of its subject: it changes "
        "nothing, so tell whoever wrote it if they still wait",
        "3-vague": "cool-air: expected `yes PRICE / MINUTES` or `no` in the first line: read it, "
        f"and pass on what it says by `opportune autopilot answer {incident} cool-air`",
        "5-again": "cool-air has offered already, and the code of its subject counts no more: call "
        "the vendor if the mail says otherwise",
    }
    chain.live(1)
    assert chain.find_hold("book-cool-air").request.amount_cents == 1_400_000
    chain.approve("book-cool-air")
    (tmp_path / "mails" / "6-old").write_text(f"{head}yes\n", encoding="utf-8")
    told = json.loads(run("replies", str(tmp_path / "mails"), "--json"))
    assert told["answered"] == []  # the booking has a code of its own
    assert told["n_known"] == 1  # 4-yes
    assert chain.asks["cool-air"] is AskState.BOOKED
    (booked,) = [one for one in chain.notices if one.key.endswith("book-cool-air")]
    assert booked.subject[-11:] != code
    (tmp_path / "mails" / "7-yes").write_text(
        f"Subject: {booked.subject}\n\nyes!\n", encoding="utf-8"
    )
    assert "cool-air: confirms\n" in run("replies", str(tmp_path / "mails"))
    again = run("replies", str(tmp_path / "mails"))
    assert "answers: 0; not taken: 4; known before: 2; mails that are no answers: 1" in again


def test_a_cause_and_the_end_are_said_by_command(chain: Chain) -> None:
    incident = chain.burst.incident_id
    with pytest.raises(BadInputError, match="'cool-air' is not asked yet"):
        chain.answer("cool-air", VendorAnswer(is_yes=False))
    chain.live(6)
    chain.answer("cool-air", VendorAnswer(is_yes=False))
    assert "the cause is cooling" in run("confirm-cause", incident, "cooling", "--by", "Dana")
    wrong = CLI.invoke(autopilot, ["confirm-cause", incident, "magic", "--by", "Dana"])
    assert "expected one of cooling, power" in str(wrong.exception)
    assert "is being closed" in run("close", incident, "--by", "Dana")
    chain.live(1)
    assert "confirmed by Dana" in chain.burst.report
    assert incident not in run("incidents")
    assert incident in run("incidents", "--all")
    late = CLI.invoke(autopilot, ["close", incident, "--by", "Dana"])
    assert "it is closed" in str(late.exception)


def test_credits_are_listed_for_the_company_s_own_system(chain: Chain) -> None:
    customer_id = chain.burst.customer_ids[0]
    with chain.store.transaction() as session:
        session.amends.issue(
            IssuedCredit(
                credit_id=f"{chain.workflow_id}/amends/credit-{customer_id}",
                subject=chain.workflow_id,
                customer_id=customer_id,
                code="BCDFGHJKL",
                amount_cents=300_000,
                currency="KZT",
                issued_at=chain.clock.now,
                expires_at=chain.clock.now + timedelta(days=60),
            )
        )
    (credit,) = json.loads(run("show", chain.burst.incident_id, "--json"))["credits"]
    assert (credit["code"], credit["amount_cents"]) == ("BCDFGHJKL", 300_000)
    assert credit["revoked_at"] is None
