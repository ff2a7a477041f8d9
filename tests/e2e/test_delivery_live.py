"""A process that delivers for real is killed at any step: nothing is lost, nothing is sent twice.

A webhook's receiver knows messages by their keys, so whatever was in the middle is posted again and
taken once. A mail relay knows no keys: where the line that ends a letter may have been read, the
letter is uncertain, and nowhere else.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from features.vocabulary import Channel
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import WebhookSettings
from serving.delivery.live.transport import WebhookTransport
from serving.delivery.live.webhook import SignedPost
from serving.delivery.parcel import HandedOver, Lost, Moment, Parcel, Receipt
from serving.delivery.queue import LIVE
from serving.online.live import LiveProfile
from serving.policy.cases import to_us
from serving.store.claims import OutboxState
from serving.store.notices import Notice, Party, PartyKind
from serving.store.store import Store
from tests.serving.delivery.servers import SECRET, Hook, Relay, run_hook, run_relay
from tests.serving.delivery.world import HOUR, find_noon_zone, make_deliverer, plan, profile

pytestmark = pytest.mark.e2e

N_MESSAGES = 2
STEPS = ("claim", "before", "begin", "end_of_letter", "after", "end")
"""Each is killed at: inside a transaction (claim, begin, end), and around the hand-over."""

STEPS_OF_HOOKS = ("claim", "before", "after", "end")
AFTER_LEASE = timedelta(minutes=3)  # and no more than a receiver bears in a signature

# The process imports once; each child is killed at the nth time that it comes to a step.
NURSERY = """
import os, signal, sys
from datetime import datetime, timedelta
from pathlib import Path

import smtplib
from features.vocabulary import Channel
from serving.copy.settings import CopySettings
from serving.delivery.live.secrets import Secrets
from serving.delivery.live.settings import DomainRates, SmtpSettings, WebhookSettings
from serving.delivery.live.smtp import SmtpRelay
from serving.delivery.live.transport import LetterTransport, WebhookTransport
from serving.delivery.live.webhook import SignedPost
from serving.store.claims import ClaimDesk
from serving.store.store import Store
from dataclasses import replace
from tests.serving.delivery.world import find_noon_zone, make_deliverer, profile

SENDER = "Teal <hi@teal.example>"

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def make_transport(channel, place):
    secrets = Secrets({"SECRET": sys.argv[1]})
    if channel == "sms":
        settings = WebhookSettings(url=place, secret={"env": "SECRET"}, allow_private=True)
        return WebhookTransport(SignedPost(settings, secrets=secrets))
    settings = SmtpSettings(host="127.0.0.1", port=int(place), security="none")
    relay = SmtpRelay(settings, sender=SENDER, secrets=secrets)
    return LetterTransport(relay, SENDER, None, CopySettings(), DomainRates())

def deliver(home, channel, place, step, nth, now):
    left = [nth]
    def count():
        left[0] -= 1
        if not left[0]:
            die()
    real = make_transport(channel, place)
    class Killed:
        def hand_over(self, parcel, moment):
            if step == "before":
                count()
            parcel = replace(parcel, address="bo@people.example")
            receipt = real.hand_over(parcel, moment)
            if step == "after":
                count()
            return receipt
    if step in ("claim", "begin", "end"):
        whole = getattr(ClaimDesk, step)
        def cut(self, *a, **k):
            done = whole(self, *a, **k)
            count()  # written, not committed
            return done
        setattr(ClaimDesk, step, cut)
    if step == "end_of_letter":
        send = smtplib.SMTP.send
        def cut_send(self, content):
            if content == b".\\r\\n":
                count()
            send(self, content)
        smtplib.SMTP.send = cut_send
    store = Store(home / "store.db")
    awake = profile(timezone=find_noon_zone(now))
    make_deliverer(store, Killed(), awake, lane="live").look(lambda: now)

for line in sys.stdin:
    home, channel, place, step, nth, now = line.split()
    child = os.fork()
    if child == 0:
        deliver(Path(home), channel, place, step, int(nth), datetime.fromisoformat(now))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, flush=True)
"""


class Keyless:
    """Takes whatever is handed over, as a mail relay."""

    def __init__(self) -> None:
        self.takes: list[str] = []

    def hand_over(self, parcel: Parcel, moment: Moment) -> Receipt:
        if not moment.begin():
            return Lost()
        self.takes.append(parcel.message_id)
        return HandedOver("here")


def prepare(home: Path, channel: Channel, *, now: datetime) -> None:
    store = Store(home / "store.db")
    with store.transaction() as session:
        session.outbox.open_lane(LIVE, at_us=to_us(now - HOUR))
    for number in range(N_MESSAGES):
        plan(store, number, at=now - timedelta(seconds=9 - number), channel=channel)
    store.close()


@dataclass
class Killed:
    """Homes whose process was killed, and the receivers that go on.

    Attributes:
        hooks: By the step and its turn.
        relays: Likewise.
    """

    folder: Path
    now: datetime
    hooks: dict[tuple[str, int], Hook] = field(default_factory=dict)
    relays: dict[tuple[str, int], Relay] = field(default_factory=dict)

    @property
    def awake(self) -> LiveProfile:
        """The customer, for whom it is noon whenever the test runs."""
        return profile(timezone=find_noon_zone(self.now))

    def home(self, channel: str, step: str, nth: int) -> Path:
        return self.folder / f"{channel}-{step}{nth}"


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    now = datetime.now(UTC)
    found = Killed(tmp_path_factory.mktemp("killed"), now)
    turns = range(1, N_MESSAGES + 1)
    asked = ""
    with ExitStack() as stack:
        for step, nth in product(STEPS_OF_HOOKS, turns):
            home = found.home("sms", step, nth)
            prepare(home, Channel.SMS, now=now)
            hook = found.hooks[step, nth] = stack.enter_context(run_hook(Hook()))
            asked += f"{home} sms {hook.url} {step} {nth} {now.isoformat()}\n"
        for step, nth in product(STEPS, turns):
            home = found.home("email", step, nth)
            prepare(home, Channel.EMAIL, now=now)
            relay = found.relays[step, nth] = stack.enter_context(run_relay(Relay()))
            asked += f"{home} email {relay.port} {step} {nth} {now.isoformat()}\n"
        root = Path(__file__).parents[2]
        done = subprocess.run(
            [sys.executable, "-c", NURSERY, SECRET],
            input=asked,
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        n = len(found.hooks) + len(found.relays)
        assert done.stdout.split() == [str(int(signal.SIGKILL))] * n, done.stderr
        yield found


def test_webhooks_take_each_message_once_wherever_a_process_is_killed(killed: Killed) -> None:
    for (step, nth), hook in killed.hooks.items():
        settings = WebhookSettings.model_validate(
            {"url": hook.url, "secret": {"env": "SECRET"}, "allow_private": True}
        )
        store = Store(killed.home("sms", step, nth) / "store.db")
        with closing(SignedPost(settings, secrets=Secrets({"SECRET": SECRET}))) as post:
            deliverer = make_deliverer(store, WebhookTransport(post), killed.awake, lane=LIVE)
            deliverer.look(lambda: killed.now + AFTER_LEASE)
        with store.reading() as session:
            counts = session.outbox.count(lane=LIVE)
        store.close()
        assert counts == {OutboxState.HANDED_OVER: N_MESSAGES}, (step, nth)
        assert set(hook.taken) == {"m0", "m1"}, (step, nth)
        # Posted again under its key: what was in the middle, and nothing that was settled.
        assert hook.n_again == int(step in ("after", "end")), (step, nth)


def test_letters_are_uncertain_where_the_relay_may_have_them_and_nowhere_else(
    killed: Killed,
) -> None:
    for (step, nth), relay in killed.relays.items():
        store = Store(killed.home("email", step, nth) / "store.db")
        later = Keyless()
        deliverer = make_deliverer(store, later, killed.awake, lane=LIVE)
        deliverer.look(lambda: killed.now + AFTER_LEASE)
        with store.reading() as session:
            counts = session.outbox.count(lane=LIVE)
        store.close()
        # The relay has had the last line, or may have had it: begun, and not settled.
        n_in_doubt = int(step in ("end_of_letter", "after", "end"))
        assert counts.get(OutboxState.UNCERTAIN, 0) == n_in_doubt, (step, nth)
        assert counts[OutboxState.HANDED_OVER] == N_MESSAGES - n_in_doubt, (step, nth)
        sent = [letter["X-Opportune-Message"] for letter in relay.letters] + later.takes
        assert len(sent) == len(set(sent)), (step, nth)  # no letter twice
        # The one in doubt had left in all cases but the kill right before its last line.
        assert len(sent) == N_MESSAGES - int(step == "end_of_letter"), (step, nth)


def test_an_owner_is_told_long_before_the_next_look(tmp_path: Path) -> None:
    home = tmp_path / "home"
    store = Store(home / "store.db")
    with run_hook(Hook()) as hook:
        way = {"url": hook.url, "secret": {"env": "SECRET"}, "allow_private": True}
        owner = {"kind": "owner", "language": "ru", "timezone": "UTC"}
        owner["ways"] = {"w": {"webhook": way}}
        parties = tmp_path / "parties.yaml"
        parties.write_text(json.dumps({"parties": [owner]}), encoding="utf-8")  # JSON is YAML
        opportune = [sys.executable, "-c", "from serving.cli.main import main; main()"]
        asked = ["deliver", "--live-notices", "--every", "3600", "--parties", str(parties)]
        process = subprocess.Popen(
            [*opportune, *asked],
            env={
                **os.environ,
                "OPPORTUNE_HOME": str(home),
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "SECRET": SECRET,
            },
            stdout=subprocess.PIPE,
        )
        try:
            wait_for(lambda: find_start(store) is not None, seconds=60)
            took = []
            for n in range(3):
                began = time.perf_counter()
                now = datetime.now(UTC)
                with store.transaction() as session:
                    party = Party(PartyKind.OWNER, "default")
                    session.notices.add(Notice(f"n{n}", party, "s", "b", "ru", now))
                wait_for(lambda n=n: f"n{n}@owner/default/w" in hook.taken, seconds=30)
                took.append(time.perf_counter() - began)
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
    store.close()
    assert process.returncode == 0
    assert max(took) < 30, took  # the next look is an hour away


def find_start(store: Store) -> int | None:
    with store.reading() as session:
        return session.outbox.find_start(f"{LIVE}/notices")


def wait_for(condition: Callable[[], bool], *, seconds: float) -> None:
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end
        time.sleep(0.01)
