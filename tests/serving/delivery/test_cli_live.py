"""`opportune deliver --live`, against receivers that really listen."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from features.errors import BadInputError, ConfigurationError
from features.tables import Tables
from features.vocabulary import Channel, Trigger
from serving.cli.main import build_app
from serving.delivery.queue import LIVE
from serving.delivery.recipients import RecipientBook, has_consent
from serving.policy.cases import to_us
from serving.store.claims import OutboxState
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import Store
from tests.serving.delivery.servers import SECRET, Hook, Relay, run_hook, run_relay
from tests.serving.delivery.world import plan

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("OPPORTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OPPORTUNE_UNSUBSCRIBE_URL", "https://teal.example/leave")
    monkeypatch.setenv("SMS_SECRET", SECRET)

    def invoke(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(
            build_app(("deliver",)), ["deliver", *arguments], catch_exceptions=False
        )
        return result.exit_code, result.output

    return invoke


@pytest.fixture
def servers() -> Iterator[tuple[Relay, Hook]]:
    with ExitStack() as stack:
        yield stack.enter_context(run_relay(Relay())), stack.enter_context(run_hook(Hook()))


def write_files(folder: Path, relay: Relay, hook: Hook) -> tuple[str, ...]:
    """Files of transports, parties, addresses and settings, as options."""
    webhook = {"url": hook.url, "secret": {"env": "SMS_SECRET"}, "allow_private": True}
    (folder / "addresses.csv").write_text(
        "customer_id,channel,address,valid_from\n"
        + "".join(f"c{n:03d},email,c{n}@people.example,2026-01-01T00:00:00Z\n" for n in range(60))
        + "".join(f"c{n:03d},sms,+7701000{n:04d},2026-01-01T00:00:00Z\n" for n in range(60)),
        encoding="utf-8",
    )
    transports = {
        "channels": {
            "email": {"smtp": {"host": "127.0.0.1", "port": relay.port, "security": "none"}},
            "sms": {"webhook": webhook},
            **{name: {"closed": "nobody listens"} for name in ("push", "in_app", "whatsapp")},
        },
        "addresses": {"file": str(folder / "addresses.csv")},
    }
    owner = {
        "kind": "owner",
        "language": "ru",
        "timezone": "Asia/Almaty",
        "ways": {"mail": {"mail": "owner@teal.example"}},
    }
    shipped = Path("serving/delivery/defaults.yaml").read_text(encoding="utf-8")
    settings = yaml.safe_load(shipped) | {"sender": "Teal <hi@teal.example>"}
    quiet = {"transports": transports, "parties": {"parties": [owner]}, "settings": settings}
    for name, content in quiet.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return tuple(word for name in quiet for word in (f"--{name}", str(folder / f"{name}.yaml")))


def open_store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "home" / "store.db")
    began = to_us(datetime.now(UTC) - timedelta(hours=1))
    with store.transaction() as session:
        session.outbox.open_lane(LIVE, at_us=began)
        session.outbox.open_lane(f"{LIVE}/notices", at_us=began)
    return store


def test_messages_and_notices_leave_the_machine_and_are_booked(
    run: Run, servers: tuple[Relay, Hook], tables: Tables, tables_folder: Path, tmp_path: Path
) -> None:
    relay, hook = servers
    hook.body = b'{"outcome": "delivered"}'
    files = write_files(tmp_path, relay, hook)
    book = RecipientBook.of_tables(tables)
    agreed = [c for c, p in book.rows.items() if has_consent(p, channel=Channel.EMAIL)]
    now = datetime.now(UTC)
    store = open_store(tmp_path)
    for number, channel in enumerate((Channel.EMAIL, Channel.SMS, Channel.PUSH)):
        plan(
            store,
            number,
            at=now - timedelta(minutes=1),
            customer_id=agreed[number],
            trigger=Trigger.SERVICE_DISRUPTION,
            channel=channel,
        )
    plan(store, 9, at=now - timedelta(hours=2), customer_id=agreed[0])  # before the lane began
    with store.transaction() as session:
        owner = Party(PartyKind.OWNER, "north")
        session.notices.add(
            Notice("n1", owner, "Жарко", "Семь жалоб", "ru", now - timedelta(seconds=1))
        )

    code, out = run("--once", "--live", "--data", str(tables_folder), *files, "--json")

    told = json.loads(out)
    assert code == 0
    assert (told["lane"], told["states"]) == ("live", {"handed_over": 2, "refused": 1})
    assert told["reasons"] == {"channel_closed: nobody listens": 1}
    assert told["notices"]["states"] == {"handed_over": 1}
    assert told["elsewhere"]["n_before_the_lane"] == 1
    assert {letter["To"] for letter in relay.letters} == {
        f"c{int(agreed[0][1:])}@people.example",
        "owner@teal.example",
    }
    assert list(hook.taken) == ["m1"]
    assert not (tmp_path / "home" / "outbox").exists()
    with store.reading() as session:
        outcomes = [(e.message_id, e.outcome) for lot in session.read_outcomes() for e in lot]
        assert outcomes == [("m1", "delivered")]
        assert session.find_cancelled() == ["m2"]
    assert b"people.example" not in (tmp_path / "home" / "store.db").read_bytes()


def test_the_live_lane_does_not_start_with_what_is_nobodys(
    run: Run,
    servers: tuple[Relay, Hook],
    tables_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    open_store(tmp_path)
    data = ("--data", str(tables_folder))
    files = write_files(tmp_path, *servers)
    with pytest.raises(ConfigurationError, match="expected --transports"):
        run("--once", "--live", *data)
    with pytest.raises(ConfigurationError, match="expected --parties"):
        run("--once", "--live", *data, *files[:2], *files[4:])
    with pytest.raises(ConfigurationError, match="mail needs the smtp of email"):
        run("--once", "--live-notices", *files[2:])
    with pytest.raises(BadInputError, match="expected --data"):
        run("--once", "--live", *files)
    with pytest.raises(BadInputError, match="--as-of"):
        run("--once", "--live", *files, "--as-of", "2026-06-10")
    monkeypatch.setenv("OPPORTUNE_UNSUBSCRIBE_URL", "https://example.com/unsubscribe")
    with pytest.raises(ConfigurationError, match=r"UNSUBSCRIBE_URL.*nobody's.*; sender.*nobody's"):
        run("--once", "--live", *data, *files[:4])
    monkeypatch.delenv("SMS_SECRET")
    with pytest.raises(ConfigurationError, match="expected SMS_SECRET, found nothing"):
        run("--once", "--live", *files)


def test_the_dry_run_needs_no_secret_of_files_that_the_environment_names(
    run: Run, servers: tuple[Relay, Hook], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tmp_path, *servers)
    monkeypatch.setenv("OPPORTUNE_TRANSPORTS", str(tmp_path / "transports.yaml"))
    monkeypatch.delenv("SMS_SECRET")
    open_store(tmp_path).close()

    code, out = run("--once", "--json")
    assert (code, json.loads(out)["lane"]) == (0, "dry_run")
    for option in ("--live", "--live-notices", "--check"):
        with pytest.raises((ConfigurationError, BadInputError), match=r"SMS_SECRET|--data"):
            run("--once", option)


def test_each_channel_must_be_named(run: Run, servers: tuple[Relay, Hook], tmp_path: Path) -> None:
    open_store(tmp_path)
    files = write_files(tmp_path, *servers)
    path = tmp_path / "transports.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content["channels"]["push"], content["channels"]["whatsapp"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")

    with pytest.raises(ConfigurationError, match="nothing for push, whatsapp"):
        run("--once", "--live", *files)


def test_a_check_connects_everywhere_and_sends_nothing(
    run: Run, servers: tuple[Relay, Hook], tmp_path: Path
) -> None:
    relay, hook = servers
    open_store(tmp_path)
    files = write_files(tmp_path, relay, hook)

    whole, out = run("--check", *files, "--json")
    (tmp_path / "addresses.csv").write_text("customer_id,address\n", encoding="utf-8")
    broken, words = run("--check", *files)

    assert whole == 0
    checked = json.loads(out)["checked"]
    assert [one["place"] for one in checked] == [
        "--live",
        *(f"channels/{channel}" for channel in ("email", "in_app", "push", "sms", "whatsapp")),
        "addresses",
        "owner/default/mail",
    ]
    assert {one["fault"] for one in checked} == {None}
    assert broken == 1
    assert "expected columns channel, valid_from" in " ".join(words.split())
    assert (relay.letters, hook.n_asked) == ([], 0)
    with pytest.raises(BadInputError, match="--check: expected --transports or --parties"):
        run("--check")


def test_somebody_resolves_what_is_uncertain_and_the_log_keeps_who(
    run: Run, tmp_path: Path
) -> None:
    store = open_store(tmp_path)
    now = datetime.now(UTC)
    for number in (1, 2):
        plan(store, number, at=now)
    with store.transaction() as session:
        session.outbox.enqueue(lane=LIVE, at_us=to_us(now), since_us=0)
        for _ in range(2):
            due = session.outbox.find_due(lane=LIVE, at_us=to_us(now))
            assert due is not None
            state = OutboxState.UNCERTAIN
            session.outbox.end(due, state, lane=LIVE, at_us=to_us(now), reason="lost")

    _, listed = run("--list", "uncertain", "--json")
    sent, _ = run("--resolve", "m1", "sent", "--by", "dana")
    unsent, out = run("--resolve", "m2", "not-sent", "--by", "dana", "--json")
    again, words = run("--resolve", "m1", "sent", "--by", "dana")

    assert [one["message_id"] for one in json.loads(listed)["messages"]] == ["m1", "m2"]
    assert (sent, unsent, again) == (0, 0, 1)
    assert json.loads(out) == {"resolved": {"m2": True}}
    assert "m1: is not uncertain" in words
    with store.reading() as session:
        states = session.outbox.count(lane=LIVE)
        entries = list(session.audit.read(subject="outbox"))
    assert states == {OutboxState.HANDED_OVER: 1, OutboxState.PENDING: 1}
    assert [entry.by for entry in entries] == ["dana", "dana"]
    with pytest.raises(BadInputError, match="expected --by"):
        run("--resolve", "m1", "sent")
    with pytest.raises(BadInputError, match="expected sent or not-sent"):
        run("--resolve", "m1", "perhaps", "--by", "dana")
