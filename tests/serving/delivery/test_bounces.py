"""Letters that came back, as relays report them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.errors import SourceUnreadableError
from features.vocabulary import Channel, Outcome
from serving.cli.main import build_app
from serving.copy.settings import CopySettings
from serving.delivery.letter import write_letter
from serving.delivery.live.bounces import Bounced, read_bounce
from serving.delivery.queue import LIVE
from serving.policy.cases import to_us
from serving.store.claims import OutboxState
from serving.store.store import Store
from tests.serving.delivery.test_files import make_parcel
from tests.serving.delivery.world import plan

WRITTEN_AT = datetime(2026, 6, 10, 12, 5, tzinfo=UTC)


def write_report(
    message_id: str = "m1", *, action: str = "failed", status: str = "5.1.1", whole: bool = True
) -> bytes:
    """A report as Postfix writes it, with the letter or its headers alone."""
    letter = write_letter(
        replace(make_parcel(message_id=message_id), address="bo@people.example"),
        sender="Teal <hi@teal.example>",
        copy=CopySettings(),
    )
    returned = letter.as_bytes()
    if not whole:
        returned = returned.partition(b"\r\n\r\n")[0] + b"\r\n"
    kind = b"message/rfc822" if whole else b"text/rfc822-headers"
    head = (
        b"From: MAILER-DAEMON@relay.example\r\nDate: Wed, 10 Jun 2026 12:05:00 +0000\r\n"
        b"Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="=b"\r\n\r\n'
        b"--=b\r\nContent-Type: text/plain\r\n\r\nI'm sorry.\r\n"
    )
    told = (
        "--=b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; relay.example\r\n\r\n"
        "Final-Recipient: rfc822; bo@people.example\r\n"
        f"Action: {action}\r\nStatus: {status}\r\n\r\n"
    )
    return (
        head
        + told.encode()
        + b"--=b\r\nContent-Type: "
        + kind
        + b"\r\n\r\n"
        + returned
        + b"\r\n--=b--\r\n"
    )


@pytest.mark.parametrize("whole", [True, False])
def test_a_report_names_the_message_of_the_letter(*, whole: bool) -> None:
    assert read_bounce(write_report(whole=whole)) == Bounced("m1", WRITTEN_AT)


@pytest.mark.parametrize("message_id", ["m" * 190, "заказ-1.email", "=?x?=", "a b"])
def test_a_long_or_foreign_identity_is_read_as_it_was_written(message_id: str) -> None:
    for whole in (True, False):
        assert read_bounce(write_report(message_id, whole=whole)) == Bounced(message_id, WRITTEN_AT)


@pytest.mark.parametrize(
    "code", [b"=?utf-8?b?a?=", b"=?no-such?q?a?=", b"=?\0?q?a?=", b"=?\xff?q?a?="]
)
def test_an_identity_in_broken_code_is_no_message_of_ours(code: bytes) -> None:
    report = write_report().replace(b"X-Opportune-Message: m1", b"X-Opportune-Message: " + code)
    found = read_bounce(report)
    assert found is None or found.message_id != "m1"


@pytest.mark.parametrize(
    ("action", "status"), [("delayed", "4.4.1"), ("failed", "4.4.7"), ("delivered", "2.0.0")]
)
def test_what_is_no_failure_for_good_is_left_alone(action: str, status: str) -> None:
    assert read_bounce(write_report(action=action, status=status)) is None


@hypothesis_settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=300))
def test_any_mail_can_be_read(content: bytes) -> None:
    assert read_bounce(content) is None
    assert read_bounce(write_report().replace(b"I'm sorry.", content)) in (
        None,
        Bounced("m1", WRITTEN_AT),
    )


def test_what_bounced_is_booked_once_and_only_of_letters_that_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    store = Store(tmp_path / "home" / "store.db")
    planned_at = WRITTEN_AT - timedelta(minutes=5)
    for number, channel in enumerate((Channel.EMAIL, Channel.EMAIL, Channel.EMAIL, Channel.SMS)):
        plan(store, number, at=planned_at, channel=channel)
    ends = (OutboxState.HANDED_OVER, OutboxState.UNCERTAIN, OutboxState.REFUSED)
    with store.transaction() as session:
        session.outbox.enqueue(lane=LIVE, at_us=to_us(WRITTEN_AT), since_us=0)
        for state in (*ends, OutboxState.HANDED_OVER):
            due = session.outbox.find_due(lane=LIVE, at_us=to_us(WRITTEN_AT))
            assert due is not None
            session.outbox.end(due, state, lane=LIVE, at_us=to_us(WRITTEN_AT), reason=None)
    folder = tmp_path / "Maildir"
    (folder / "new").mkdir(parents=True)
    for name in ("m0", "m1", "m2", "m3", "m9"):
        (folder / "new" / name).write_bytes(write_report(name))
    (folder / "hello").write_bytes(b"Subject: hello\r\n\r\nhello\r\n")

    def run() -> dict[str, int]:
        asked = ["deliver", "--bounces", str(folder), "--json"]
        result = CliRunner().invoke(build_app(("deliver",)), asked, catch_exceptions=False)
        counts: dict[str, int] = json.loads(result.stdout)["bounces"]
        return counts

    assert run() == {"booked": 2, "no_report": 1, "unknown_message": 3}
    assert run() == {"duplicate": 2, "no_report": 1, "unknown_message": 3}
    with store.reading() as session:
        booked = {(e.message_id, e.outcome, e.at) for lot in session.read_outcomes() for e in lot}
        assert session.outbox.count(lane=LIVE).get(OutboxState.UNCERTAIN, 0) == 0
    assert booked == {(name, Outcome.BOUNCED, WRITTEN_AT) for name in ("m0", "m1")}


def test_a_folder_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path))
    Store(tmp_path / "store.db").close()
    asked = ["deliver", "--bounces", str(tmp_path / "none")]
    with pytest.raises(SourceUnreadableError, match="expected a folder of mails"):
        CliRunner().invoke(build_app(("deliver",)), asked, catch_exceptions=False)
