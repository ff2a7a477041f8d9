"""The anchor of the log by mail: the line that arrives checks the log that stayed."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from serving.audit.anchors import make_keys, read_anchors, read_public_key
from serving.audit.chain import verify_chain
from serving.audit.entries import EntryKind
from serving.cli.main import build_app
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import SmtpSettings
from serving.delivery.live.smtp import SmtpRelay
from serving.delivery.look import Deliverer
from serving.delivery.notices.messengers import MailMessenger
from serving.delivery.notices.parties import PartySettingsFile
from serving.delivery.notices.queue import NoticeQueue
from serving.delivery.queue import LIVE
from serving.policy.cases import to_us
from serving.store.store import Store
from tests.serving.delivery.servers import Relay, run_relay
from tests.serving.delivery.test_notices import PARTIES, Ear
from tests.serving.delivery.world import DELIVERY, NO_STOPS


def test_the_line_in_the_mail_finds_a_cut_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    private, public = make_keys(tmp_path / "keys")
    store = Store(tmp_path / "home" / "store.db")
    now = datetime.now(UTC)
    with store.transaction() as session:
        session.outbox.open_lane(f"{LIVE}/notices", at_us=to_us(now - timedelta(hours=1)))
        for n in range(3):
            session.audit.append(
                EntryKind.SYSTEM, "test", {"n": n}, by="test", at=now, words="a row"
            )
    asked = ["audit", "anchor", "--key", str(private), "--mail"]
    result = [CliRunner().invoke(build_app(("audit",)), asked) for _ in range(2)]  # told once

    with run_relay(Relay()) as relay:
        smtp = SmtpSettings(host="127.0.0.1", port=relay.port, security="none")
        with closing(SmtpRelay(smtp, sender="hi@teal.example", secrets=Secrets({}))) as door:
            mail = MailMessenger(door, "hi@teal.example", "owner@teal.example")
            messengers = {"owner/default/mail": mail, "owner/default/phone": Ear()}
            owner = PARTIES.parties[0].model_copy(update={"quiet_hours": None})
            parties = PartySettingsFile(parties=(owner,))
            queue = NoticeQueue(LIVE, parties, messengers, DELIVERY, NO_STOPS)
            teller = Deliverer(store, queue, DELIVERY, np.random.default_rng(7))
            teller.look(lambda: datetime.now(UTC))

    assert [one.exit_code for one in result] == [0, 0]
    assert ["nothing new" in one.output for one in result] == [False, True]
    (letter,) = relay.letters
    line = letter.get_content().strip().splitlines()[-1]
    anchors = read_anchors(line, key=read_public_key(public), place="mail")
    with store.reading() as session:
        entries = list(session.audit.read())
    assert verify_chain(entries, anchors=anchors).fault is None
    assert verify_chain(entries[:2], anchors=anchors).fault is not None
