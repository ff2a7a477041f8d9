"""Notices: told once on each way, also while a kill switch is thrown, and never to a stranger."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from features.errors import ConfigurationError
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import SmtpSettings
from serving.delivery.live.smtp import SmtpRelay
from serving.delivery.look import Deliverer
from serving.delivery.notices.messengers import make_folder_messengers, make_messengers
from serving.delivery.notices.parties import PartySettingsFile, load_parties
from serving.delivery.notices.queue import Messenger, NoticeQueue
from serving.delivery.parcel import HandedOver, Lost, Moment, Receipt, TryAgain, Uncertain
from serving.delivery.queue import DRY_RUN, LIVE
from serving.policy.cases import to_us
from serving.store.claims import OutboxState
from serving.store.notice_outbox import Telling
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import Store
from tests.serving.delivery.servers import SECRET, Hook, Relay, run_hook, run_relay
from tests.serving.delivery.world import DELIVERY, HOUR, NO_STOPS, NOON, SECOND, at

PARTIES = PartySettingsFile.model_validate(
    {
        "parties": [
            {
                "kind": "owner",
                "language": "ru",
                "timezone": "Asia/Almaty",
                "quiet_hours": {"from_hour": 22, "to_hour": 8},
                "ways": {
                    "phone": {"apprise": {"env": "OWNER_URL"}},
                    "mail": {"mail": "owner@teal.example"},
                },
            },
            {
                "kind": "vendor",
                "name": "v1",
                "language": "kk",
                "timezone": "Asia/Almaty",
                "ways": {"hook": {"apprise": {"env": "VENDOR_URL"}}},
            },
        ]
    }
)
OWNER = Party(PartyKind.OWNER, "north")
VENDOR = Party(PartyKind.VENDOR, "v1")


@dataclass
class Ear:
    """Hears notices, without knowing one from another."""

    says: list[Receipt] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    def tell(self, telling: Telling, moment: Moment) -> Receipt:
        if not moment.begin():
            return Lost()
        self.heard.append(telling.handover_id)
        return self.says.pop(0) if self.says else HandedOver("here")


def make_notice(key: str = "n1", to: Party = OWNER, **changes: Any) -> Notice:
    return replace(Notice(key, to, "Жарко", "Семь жалоб", "ru", NOON), **changes)


def make_teller(
    store: Store, *ears: Messenger, home: Path = NO_STOPS, lane: str = LIVE
) -> Deliverer[Telling]:
    places = ("owner/default/phone", "owner/default/mail", "vendor/v1/hook")
    messengers = dict(zip(places, ears, strict=False))
    queue = NoticeQueue(lane, PARTIES, messengers, DELIVERY, home)
    return Deliverer(store, queue, DELIVERY, np.random.default_rng(7))


def add(store: Store, *notices: Notice) -> list[bool]:
    with store.transaction() as session:
        session.outbox.open_lane(f"{LIVE}/notices", at_us=to_us(NOON - HOUR))
        return [session.notices.add(one) for one in notices]


def states(store: Store, key: str = "n1", lane: str = LIVE) -> dict[str, OutboxState]:
    with store.reading() as session:
        return {one.way: one.state for one in session.notices.find_handovers(key, lane=lane)}


def test_a_notice_is_kept_once_and_told_once_on_each_way(store: Store) -> None:
    kept = add(store, make_notice(workflow_id="incident/i1"), make_notice(subject="else"))
    phone, mail = Ear(), Ear([TryAgain("busy")])
    teller = make_teller(store, phone, mail)

    for minutes in (0, 1, 2, 3):
        teller.look(at(NOON + timedelta(minutes=minutes)))

    assert kept == [True, False]
    assert phone.heard == ["n1@owner/default/phone"]
    assert mail.heard == ["n1@owner/default/mail"] * 2  # busy the first time
    assert set(states(store).values()) == {OutboxState.HANDED_OVER}
    with store.reading() as session:
        assert [one.subject for one in session.notices.find_of("incident/i1")] == ["Жарко"]
        assert session.notices.find("n2") is None


def test_whom_nobody_knows_is_not_told_by_somebody_elses_way(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    stranger = Party(PartyKind.VENDOR, "v2")
    add(store, make_notice("n1", stranger), make_notice("n2", Party(PartyKind.CSM, "default")))
    ears = (Ear(), Ear(), Ear())

    report = make_teller(store, *ears).look(at(NOON))

    assert [ear.heard for ear in ears] == [[], [], []]
    assert report.n_taken_in == 2
    assert report.states == {OutboxState.REFUSED: 2}
    assert report.reasons["no_way: nobody is reachable as vendor/v2"] == 1
    with store.reading() as session:
        (one,) = session.notices.find_handovers("n1", lane=LIVE)
    assert (one.state, one.way) == (OutboxState.REFUSED, "")
    assert one.reason == "no_way: nobody is reachable as vendor/v2"
    assert states(store, "n2") == {"": OutboxState.REFUSED}


def test_a_kill_switch_silences_vendors_and_nobody_of_the_house(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    add(store, make_notice("n1"), make_notice("n2", VENDOR))
    phone, mail, vendor = Ear(), Ear(), Ear()
    teller = make_teller(store, phone, mail, vendor, home=tmp_path)
    (tmp_path / "STOP").touch()
    teller.look(at(NOON))
    while_stopped = (len(phone.heard), len(vendor.heard))
    (tmp_path / "STOP").unlink()

    teller.look(at(NOON))

    assert while_stopped == (1, 0)
    assert vendor.heard == ["n2@vendor/v1/hook"]


def test_doubt_is_told_again_to_the_house_and_never_to_a_vendor(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    add(store, make_notice("n1"), make_notice("n2", VENDOR))
    phone, vendor = Ear([Uncertain("said no")]), Ear([Uncertain("said no")])
    teller = make_teller(store, phone, Ear(), vendor)

    teller.look(at(NOON))
    teller.look(at(NOON + HOUR))

    assert len(phone.heard) == 2
    assert vendor.heard == ["n2@vendor/v1/hook"]
    assert states(store, "n2") == {"vendor/v1/hook": OutboxState.UNCERTAIN}


@pytest.mark.parametrize(("is_urgent", "n_at_night"), [(True, 1), (False, 0)])
def test_at_night_only_what_is_urgent_is_told(
    tmp_path: Path, *, is_urgent: bool, n_at_night: int
) -> None:
    store = Store(tmp_path / "store.db")
    night = datetime(2026, 6, 10, 18, tzinfo=UTC)  # 23:00 in Almaty
    add(store, make_notice(not_before=night, is_urgent=is_urgent))
    phone = Ear()
    teller = make_teller(store, phone, Ear())

    teller.look(at(night))
    at_night = len(phone.heard)
    teller.look(at(datetime(2026, 6, 11, 3, tzinfo=UTC)))

    assert (at_night, len(phone.heard)) == (n_at_night, 1)


def test_a_notice_that_is_over_or_would_be_by_morning_is_not_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    night = datetime(2026, 6, 10, 18, tzinfo=UTC)
    add(
        store,
        make_notice("n1", expires_at=NOON + HOUR),
        make_notice("n2", not_before=night, expires_at=night + HOUR),
        make_notice("n3", not_before=night + 5 * HOUR),
    )
    phone = Ear()

    make_teller(store, phone, Ear()).look(at(night))

    assert phone.heard == []
    assert set(states(store, "n1").values()) == set(states(store, "n2").values())
    assert set(states(store, "n2").values()) == {OutboxState.REFUSED}
    assert states(store, "n3") == {}  # not yet


def test_there_is_work_only_while_something_waits(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    add(store, make_notice("old", not_before=NOON - 2 * HOUR))  # before the lane began
    teller = make_teller(store, Ear(), Ear())
    queue = teller.queue
    assert isinstance(queue, NoticeQueue)

    def has_work(closed: frozenset[str] = frozenset()) -> bool:
        with store.reading() as session:
            return queue.has_work(session, at_us=to_us(NOON), closed=closed)

    before = has_work()
    add(store, make_notice())
    waiting = has_work()
    teller.look(at(NOON))

    assert (before, waiting, has_work()) == (False, True, False)


def test_the_dry_run_writes_each_notice_to_one_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    add(store, make_notice("n/1", VENDOR, reply_topic="answer", workflow_id="incident/i1"))
    queue = NoticeQueue(DRY_RUN, None, make_folder_messengers(tmp_path / "out"), DELIVERY, NO_STOPS)
    teller = Deliverer(store, queue, DELIVERY, np.random.default_rng(7))

    teller.look(at(NOON))
    teller.look(at(NOON + SECOND))

    (file,) = (tmp_path / "out").iterdir()
    data = json.loads(file.read_text(encoding="utf-8"))["data"]
    assert data["to"] == {"kind": "vendor", "name": "v1"}
    assert (data["reply_topic"], data["workflow_id"]) == ("answer", "incident/i1")
    assert states(store, "n/1", DRY_RUN) == {"folder": OutboxState.HANDED_OVER}


# ---------------------------------------------------------------- real receivers


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_a_notice_goes_by_apprise_by_mail_and_by_a_signed_webhook(
    tmp_path: Path, stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    hook, relay = stack.enter_context(run_hook(Hook())), stack.enter_context(run_relay(Relay()))
    service = stack.enter_context(run_hook(Hook()))  # Apprise signs nothing: it is told 401
    parties = PartySettingsFile.model_validate(
        {
            "parties": [
                {
                    "kind": "owner",
                    "language": "ru",
                    "timezone": "Asia/Almaty",
                    "ways": {
                        "phone": {"apprise": {"env": "OWNER_URL"}},
                        "mail": {"mail": "Owner <owner@teal.example>"},
                        "hook": {
                            "webhook": {
                                "url": hook.url,
                                "secret": {"env": "SECRET"},
                                "allow_private": True,
                            }
                        },
                    },
                }
            ]
        }
    )
    secrets = Secrets(
        {"OWNER_URL": service.url.replace("http", "json") + "?token=hush", "SECRET": SECRET}
    )
    smtp = SmtpSettings(host="127.0.0.1", port=relay.port, security="none")
    door = SmtpRelay(smtp, sender="Teal <hi@teal.example>", secrets=secrets)
    stack.callback(door.close)
    messengers = make_messengers(
        parties, relay=door, sender="Teal <hi@teal.example>", secrets=secrets, stack=stack
    )
    store = Store(tmp_path / "store.db")
    now = datetime.now(UTC)
    with store.transaction() as session:
        session.outbox.open_lane(f"{LIVE}/notices", at_us=to_us(now))
        session.notices.add(make_notice(not_before=now, reply_topic="answer"))
    queue = NoticeQueue(LIVE, parties, messengers, DELIVERY, NO_STOPS)
    Deliverer(store, queue, DELIVERY, np.random.default_rng(7)).look(lambda: now)

    assert service.n_asked == 1
    assert states(store) == {
        "owner/default/phone": OutboxState.PENDING,  # 401: the house is told again later
        "owner/default/mail": OutboxState.HANDED_OVER,
        "owner/default/hook": OutboxState.HANDED_OVER,
    }
    (letter,) = relay.letters
    assert (letter["Subject"], letter["Auto-Submitted"]) == ("Жарко", "auto-generated")
    assert relay.envelopes == [("hi@teal.example", ["owner@teal.example"])]
    (told,) = hook.taken.values()
    assert (told["type"], told["data"]["reply_topic"]) == ("notice", "answer")
    assert "hush" not in caplog.text


def test_apprise_tells_a_service_that_listens(stack: ExitStack, tmp_path: Path) -> None:
    service = stack.enter_context(run_hook(Hook()))
    service.is_open = True
    secrets = Secrets({"OWNER_URL": service.url.replace("http", "json"), "VENDOR_URL": "json://x"})
    owner = PARTIES.parties[0]
    alone = PartySettingsFile(
        parties=(owner.model_copy(update={"ways": {"phone": owner.ways["phone"]}}),)
    )
    (messenger,) = make_messengers(
        alone, relay=None, sender="hi@teal.example", secrets=secrets, stack=stack
    ).values()
    telling = Telling(
        state=OutboxState.CLAIMED,
        due_at_us=0,
        n_attempts=1,
        fence=1,
        reason=None,
        handover_id="n1@w",
        way="w",
        notice=make_notice(),
    )
    receipt = messenger.tell(telling, Moment(NOON, lambda: True, lambda _b, _r: None))
    lost = messenger.tell(telling, Moment(NOON, lambda: False, lambda _b, _r: None))

    assert receipt == HandedOver("JSON")
    assert lost == Lost()
    assert service.n_asked == 1


# ---------------------------------------------------------------- the file of parties


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "customer"}, "kind"),
        ({"timezone": "Almaty"}, "timezone"),
        ({"ways": {}}, "ways"),
        ({"ways": {"a/b": {"mail": "a@b.example"}}}, "ways"),
        ({"ways": {"a": {"mail": "nobody"}}}, "not an address"),
        ({"ways": {"a": {}}}, "expected one of apprise, mail, webhook"),
        ({"ways": {"a": {"apprise": "tgram://token"}}}, "apprise"),
        ({"kind": "vendor"}, "a vendor is told by its own entry"),
        ({"kind": "sales"}, "expected an owner with the name default"),
    ],
)
def test_a_file_of_parties_that_is_wrong_says_where(
    tmp_path: Path, change: dict[str, object], words: str
) -> None:
    owner = PARTIES.parties[0].model_dump(mode="json", exclude_none=True)
    file = tmp_path / "parties.yaml"
    file.write_text(yaml.safe_dump({"parties": [owner | change]}), encoding="utf-8")

    with pytest.raises(ConfigurationError, match=words) as fault:
        load_parties(file)
    assert "token" not in str(fault.value)
    assert "at least 1 item" not in str(fault.value) or change == {"ways": {}}


def test_a_file_of_parties_with_nobody_in_it_misses_the_owner(tmp_path: Path) -> None:
    file = tmp_path / "parties.yaml"
    file.write_text("parties: []\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="expected an owner with the name default"):
        load_parties(file)


def test_a_url_that_apprise_does_not_know_is_named_by_its_variable_alone(stack: ExitStack) -> None:
    secrets = Secrets({"OWNER_URL": "nonsense://hush", "VENDOR_URL": "json://x"})
    parties = PartySettingsFile(parties=(PARTIES.parties[0],))
    with pytest.raises(ConfigurationError, match="OWNER_URL: expected an Apprise URL") as fault:
        make_messengers(parties, relay=None, sender="a@b.example", secrets=secrets, stack=stack)
    assert "hush" not in str(fault.value)
