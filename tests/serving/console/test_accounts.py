"""Who may come in, whose session it is, and when it is over."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from features.errors import BadInputError, ConflictError
from serving.console.access import SESSION_ID, Role, Visitor
from serving.console.accounts import IDLE, LONGEST, Accounts, digest_token
from serving.console.attempts import PER_ADDRESS, PER_PERSON, Attempt, Attempts
from serving.console.passwords import Passwords
from serving.store.store import Store
from tests.serving.console.conftest import PASSWORD, Clock

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(store: Store, clock: Clock) -> Accounts:
    made = Accounts(store, clock=clock, passwords=Passwords(QUICK))
    made.add("Dana", role=Role.OWNER, password=PASSWORD, by="test")
    return made


def come_in(accounts: Accounts, name: str = "Dana") -> dict[str, object]:
    found = accounts.sign_in(name, PASSWORD)
    assert found is not None
    return {SESSION_ID: found[1]}


def recall(accounts: Accounts, cookie: dict[str, object]) -> Visitor | None:
    return accounts.recall(cookie, is_active=True)


def test_sign_in_takes_the_right_password_and_no_other(accounts: Accounts) -> None:
    assert recall(accounts, come_in(accounts)) == Visitor("Dana", Role.OWNER)
    assert recall(accounts, come_in(accounts, "dana")) == Visitor("Dana", Role.OWNER)
    for name, password in (
        ("Dana", "wrong battery horse"),
        ("Dana", ""),
        ("Dana", PASSWORD + "x" * 300),
        ("nobody", PASSWORD),
        ("", PASSWORD),
    ):
        assert accounts.sign_in(name, password) is None


def test_neither_password_nor_token_is_in_the_store(
    accounts: Accounts, store: Store, clock: Clock
) -> None:
    token = str(come_in(accounts)[SESSION_ID])

    with store.reading() as session:
        account = session.console.find_account("Dana")
        found = session.console.find_session(digest_token(token))
        assert session.console.find_session(token) is None
        told = " ".join(entry.words + entry.body for entry in session.audit.read())

    assert account is not None
    assert account.password_hash.startswith("$argon2id$")
    assert account.password_hash not in repr(account)
    assert found is not None
    assert found.began_at == clock.now
    for secret in (PASSWORD, token, account.password_hash):
        assert secret not in told


def test_session_ends_when_idle_and_never_lives_longer_than_it_may(
    accounts: Accounts, clock: Clock
) -> None:
    cookie, began = come_in(accounts), clock.now
    clock.now = began + IDLE - timedelta(seconds=1)
    assert recall(accounts, cookie) is not None
    clock.now += IDLE - timedelta(seconds=1)
    assert recall(accounts, cookie) is not None  # something was done in between
    clock.now += IDLE
    assert recall(accounts, cookie) is None

    cookie, began = come_in(accounts), clock.now
    while clock.now < began + LONGEST - IDLE:
        clock.now += IDLE / 2
        assert recall(accounts, cookie) is not None
    clock.now = began + LONGEST
    assert recall(accounts, cookie) is None


def test_page_that_looks_by_itself_keeps_nobody_in(accounts: Accounts, clock: Clock) -> None:
    cookie = come_in(accounts)
    for _ in range(4):
        clock.now += IDLE / 4
        last = accounts.recall(cookie, is_active=False)

    assert last is None


@pytest.mark.parametrize("how", ["remove", "password", "everywhere"])
def test_sessions_die_at_once_in_every_process(
    accounts: Accounts, store: Store, clock: Clock, how: str
) -> None:
    other = Accounts(store, clock=clock, passwords=Passwords(QUICK))
    cookies = [come_in(accounts), come_in(other)]
    match how:
        case "remove":
            other.remove("DANA", by="test")
        case "password":
            other.set_password("Dana", password="another battery horse", by="test")
        case _:
            assert other.sign_out_everywhere("Dana", by="test") == 2

    assert [recall(accounts, cookie) for cookie in cookies] == [None, None]
    assert (accounts.sign_in("Dana", PASSWORD) is None) == (how != "everywhere")


def test_signing_out_ends_that_session_alone(accounts: Accounts) -> None:
    here, there = come_in(accounts), come_in(accounts)

    accounts.sign_out(here)

    assert recall(accounts, here) is None
    assert recall(accounts, there) is not None


def test_role_is_that_of_now(accounts: Accounts) -> None:
    cookie = come_in(accounts)
    accounts.remove("Dana", by="test")
    accounts.add("Dana", role=Role.VIEWER, password=PASSWORD, by="test")

    assert recall(accounts, cookie) is None
    assert recall(accounts, come_in(accounts)) == Visitor("Dana", Role.VIEWER)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("", PASSWORD),
        (" Dana", PASSWORD),
        ("two\nlines", PASSWORD),
        ("x" * 201, PASSWORD),
        ("Omar", "short"),
        ("Omar", "x" * 201),
    ],
)
def test_bad_names_and_passwords_are_refused(accounts: Accounts, name: str, password: str) -> None:
    with pytest.raises(BadInputError, match="expected") as refused:
        accounts.add(name, role=Role.OWNER, password=password, by="test")

    assert password not in str(refused.value)
    assert [one.name for one in accounts.list()] == ["Dana"]


def test_names_are_taken_however_they_are_written(accounts: Accounts) -> None:
    with pytest.raises(ConflictError, match="somebody of that name"):
        accounts.add("DANA", role=Role.VIEWER, password=PASSWORD, by="test")
    with pytest.raises(BadInputError, match="nobody of that name"):
        accounts.remove("Omar", by="test")


def test_stronger_settings_take_over_at_the_next_sign_in(
    accounts: Accounts, store: Store, clock: Clock
) -> None:
    stronger = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    later = Accounts(store, clock=clock, passwords=Passwords(stronger))

    come_in(later)

    with store.reading() as session:
        account = session.console.find_account("Dana")
    assert account is not None
    assert not later.passwords.is_stale(account.password_hash)
    assert recall(later, come_in(later)) is not None


def test_passwords_are_one_however_a_keyboard_spells_them() -> None:
    passwords = Passwords(QUICK)

    kept = passwords.hash("caf\u00e9 battery staple")

    assert passwords.is_right("cafe\u0301 battery staple", password_hash=kept)


class Spy(PasswordHasher):
    """Counts comparisons."""

    n = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # noqa: A002  # the library's
        Spy.n += 1
        return super().verify(hash, password)


def test_unknown_names_cost_as_much_as_known_ones(store: Store, clock: Clock) -> None:
    hasher = Spy(time_cost=1, memory_cost=8, parallelism=1)
    accounts = Accounts(store, clock=clock, passwords=Passwords(hasher))
    accounts.add("Dana", role=Role.OWNER, password=PASSWORD, by="test")
    counts = []
    for name in ("Dana", "nobody"):
        Spy.n = 0
        assert accounts.sign_in(name, "wrong battery horse") is None
        counts.append(Spy.n)

    assert counts == [1, 1]


def test_attempts_are_counted_by_all_workers_together(store: Store, clock: Clock) -> None:
    workers = [Attempts(store, clock=clock), Attempts(store, clock=clock)]
    mine = Attempt("dana", "10.0.0.7")

    tried = [workers[n % 2].count(mine) for n in range(PER_PERSON.amount)]
    wait_seconds = workers[0].count(mine)

    assert tried == [None] * PER_PERSON.amount
    assert wait_seconds is not None
    assert 290 <= wait_seconds <= 301
    assert workers[1].count(Attempt("omar", "10.0.0.7")) is None
    assert workers[1].count(Attempt("dana", "10.0.0.8")) is None
    clock.now += timedelta(seconds=wait_seconds)
    assert workers[1].count(mine) is None


def test_right_password_forgives_ones_own_mistakes_alone(store: Store, clock: Clock) -> None:
    attempts = Attempts(store, clock=clock)
    mine = Attempt("dana", "10.0.0.7")
    for _ in range(PER_ADDRESS.amount // 3):
        attempts.count(mine)
        attempts.forgive(mine)

    assert attempts.count(mine) is None
    for _ in range(PER_ADDRESS.amount):
        attempts.count(Attempt("somebody", "10.0.0.7"))
        attempts.forgive(Attempt("somebody", "10.0.0.7"))
    assert attempts.count(Attempt("other", "10.0.0.7")) is not None


def test_postgresql_keeps_accounts_sessions_and_counts_alike(
    new_postgres_database: Callable[[], str], clock: Clock
) -> None:
    store = Store(new_postgres_database())
    accounts = Accounts(store, clock=clock, passwords=Passwords(QUICK))
    attempts, mine = Attempts(store, clock=clock), Attempt("dana", "10.0.0.7")

    accounts.add("Dana", role=Role.OWNER, password=PASSWORD, by="test")
    with pytest.raises(ConflictError):
        accounts.add("dana", role=Role.VIEWER, password=PASSWORD, by="test")
    cookie = come_in(accounts)
    tried = [attempts.count(mine) for _ in range(PER_PERSON.amount + 1)]

    assert recall(accounts, cookie) == Visitor("Dana", Role.OWNER)
    assert tried[:-1] == [None] * PER_PERSON.amount
    assert tried[-1] is not None
    assert accounts.sign_out_everywhere("Dana", by="test") == 1
    assert recall(accounts, cookie) is None
    accounts.remove("Dana", by="test")
    assert accounts.list() == []
    store.close()
