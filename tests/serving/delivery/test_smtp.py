"""Letters to a relay that really listens."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from features.errors import ConfigurationError
from features.vocabulary import Outcome
from serving.copy.settings import CopySettings
from serving.delivery.letter import write_letter
from serving.delivery.live.secrets import SecretRef, Secrets
from serving.delivery.live.settings import SmtpSettings
from serving.delivery.live.smtp import SmtpRelay
from serving.delivery.parcel import Down, HandedOver, Lost, Receipt, Rejected, TryAgain, Uncertain
from tests.serving.delivery.servers import Relay, make_certificate, run_relay
from tests.serving.delivery.test_files import WORDS, make_parcel

SENDER = "Teal <hi@teal.example>"


@contextmanager
def open_relay(relay: Relay, **changes: object) -> Iterator[SmtpRelay]:
    given = {"host": "127.0.0.1", "port": relay.port, "security": "none", "timeout_seconds": 3}
    settings = SmtpSettings.model_validate(given | changes)
    door = SmtpRelay(settings, sender=SENDER, secrets=Secrets({"PASSWORD": "open sesame"}))
    with closing(door):
        yield door


def send(door: SmtpRelay, *, to: str = "bo@people.example", is_ours: bool = True) -> Receipt:
    parcel = replace(make_parcel(), address=to)
    letter = write_letter(parcel, sender=SENDER, copy=CopySettings(), reply_to="help@teal.example")
    return door.send(letter, to=to, begin=lambda: is_ours)


def test_a_letter_arrives_as_it_was_written_from_its_return_path() -> None:
    with (
        run_relay(Relay()) as relay,
        open_relay(relay, envelope_sender="bounces@teal.example") as door,
    ):
        receipts = [send(door), send(door)]

    assert receipts == [HandedOver("127.0.0.1")] * 2
    assert relay.n_connections == 1  # one for both
    assert relay.envelopes[0] == ("bounces@teal.example", ["bo@people.example"])
    letter = relay.letters[0]
    assert (letter["From"], letter["To"]) == (SENDER, "bo@people.example")
    assert letter["Reply-To"] == "help@teal.example"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["Message-ID"] == relay.letters[1]["Message-ID"]
    assert letter["X-Opportune-Customer"] is None
    text = letter.get_body(preferencelist=("plain",))
    assert text is not None
    assert text.get_content().strip() == WORDS.plain_text


def test_a_sender_that_smtp_cannot_carry_is_refused_before_anything_is_sent() -> None:
    settings = SmtpSettings(host="127.0.0.1", port=25, security="none")
    with pytest.raises(ConfigurationError, match=r"sender .*expected an address"):
        SmtpRelay(settings, sender="Teal <привет@teal.example>", secrets=Secrets({}))


def test_a_sender_of_another_alphabets_domain_is_sent_in_ascii() -> None:
    with run_relay(Relay()) as relay, open_relay(relay, envelope_sender="b@пример.kz") as door:
        assert send(door) == HandedOver("127.0.0.1")
    assert relay.envelopes[0][0] == "b@xn--e1afmkfd.kz"


def test_lines_that_begin_with_a_dot_arrive_whole() -> None:
    words = WORDS.model_copy(update={"plain_text": "a\n.\n..b\n.c", "body": "<p>.\r\n.x</p>"})
    parcel = replace(make_parcel(content=words), address="bo@people.example")
    letter = write_letter(parcel, sender=SENDER, copy=CopySettings())
    with run_relay(Relay()) as relay, open_relay(relay) as door:
        receipt = door.send(letter, to="bo@people.example", begin=lambda: True)

    assert isinstance(receipt, HandedOver)
    text = relay.letters[0].get_body(preferencelist=("plain",))
    assert text is not None
    assert text.get_content().replace("\r\n", "\n").strip() == "a\n.\n..b\n.c"


@pytest.mark.parametrize(
    ("command", "said", "expected"),
    [
        ("RCPT", "450 4.2.1 <bo@people.example> busy", TryAgain),
        ("RCPT", "550 5.1.1 <bo@people.example> unknown", Rejected),
        ("RCPT", "550 5.7.1 bo@people.example: not from you", Rejected),
        ("MAIL", "550 5.7.1 who are you", Down),
        ("MAIL", "451 4.3.0 tired", Down),
        ("DATA", "451 4.3.0 tired", TryAgain),
        ("DATA", "554 5.6.0 bo@people.example will not like it", Rejected),
        ("DATA", "421 4.3.2 closing", Down),
    ],
)
def test_what_a_relay_says_decides_what_becomes_of_the_letter(
    command: str, said: str, expected: type[Receipt]
) -> None:
    with run_relay(Relay({command: said})) as relay, open_relay(relay) as door:
        receipt = send(door)
        relay.replies.clear()
        after = send(door)

    assert isinstance(receipt, expected)
    assert "bo@" not in str(receipt)  # addresses stay out of what is kept
    outcome = receipt.outcome if isinstance(receipt, Rejected) else None
    assert outcome is (Outcome.BOUNCED if "5.1.1" in said else None)
    assert isinstance(after, HandedOver)


def test_a_connection_lost_after_the_letter_leaves_it_uncertain() -> None:
    with run_relay(Relay(drops_after_letter=True)) as relay, open_relay(relay) as door:
        receipt = send(door)
        relay.drops_after_letter = False
        after = send(door)

    assert isinstance(receipt, Uncertain)
    assert isinstance(after, HandedOver)
    assert len(relay.letters) == 2  # it was taken: to send it again would have doubled it


def test_a_letter_that_is_no_longer_ours_is_not_ended_and_not_taken() -> None:
    with run_relay(Relay()) as relay, open_relay(relay) as door:
        receipt = send(door, is_ours=False)
        after = send(door)

    assert receipt == Lost()
    assert isinstance(after, HandedOver)
    assert len(relay.letters) == 1


def test_a_relay_that_went_away_is_down() -> None:
    relay = Relay()
    with run_relay(relay):
        port = relay.port
        with open_relay(relay) as door:
            assert door.check() is None
            first = send(door)
    relay.port = port
    with open_relay(relay) as door:
        gone = send(door)

    assert isinstance(first, HandedOver)
    assert isinstance(gone, Down)
    assert "ConnectionRefusedError" in gone.reason


def test_letters_travel_encrypted_after_a_login(tmp_path: Path) -> None:
    context, ca_file = make_certificate(tmp_path)
    secure = {
        "security": "starttls",
        "host": "localhost",
        "username": "teal",
        "password": SecretRef(env="PASSWORD"),
    }
    with run_relay(Relay(), tls=context, login=("teal", "open sesame")) as relay:
        with open_relay(relay, **secure, ca_file=ca_file) as door:
            known = send(door)
        with open_relay(relay, **secure) as door:
            unknown = send(door)
    login = ("teal", "something else")
    with (
        run_relay(Relay(), tls=context, login=login) as relay,
        open_relay(relay, **secure, ca_file=ca_file) as door,
    ):
        refused = send(door)

    assert isinstance(known, HandedOver)
    assert unknown == Down("localhost: SSLCertVerificationError")
    assert refused == Down("localhost: the login is not taken: 535")


@pytest.mark.parametrize(
    "address", ["bo", "bo@x.example>\r\nDATA", "a,b@c.example", "бо@x.example"]
)
def test_what_is_no_address_is_refused_before_anything_is_said(address: str) -> None:
    with run_relay(Relay()) as relay, open_relay(relay) as door:
        receipt = send(door, to=address)

    assert isinstance(receipt, Rejected)
    assert relay.n_connections == 0
