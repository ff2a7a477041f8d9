"""What several test folders share: public data, and a small company with models and an engine."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import settings as hypothesis_settings

from features.checks import require_valid
from features.churn import CHURN_FEATURES
from features.contracts import CONTRACTS, Kind
from features.economics import default_economics
from features.engagement import ENGAGEMENT_FEATURES
from features.engines.spark import SparkEngine
from features.errors import ConfigurationError
from features.sources import write_tables
from features.tables import Tables, empty_table
from features.vocabulary import Arm, Channel, Priority, Trigger
from serving.copy.library import default_library
from serving.copy.render import CopySettings
from serving.decide import Engine
from serving.online.facts import Fact
from serving.online.records import Event
from serving.online.rows import facts_of
from serving.policy.arms import assign_arm
from serving.policy.settings import load_policy_settings
from serving.snapshot.making import make_snapshot
from serving.snapshot.state import Models, Snapshot, signature_of
from serving.store.store import Store
from tests.channel_beliefs import believe
from tests.standin.server import standin as standin
from tests.standin.server import standin_server as standin_server
from training.bandit.files import new_bandit
from training.registry.servable import (
    TRIGGERS,
    BoosterModel,
    Calibration,
    ChannelModel,
    ChurnModel,
    FeatureSignature,
    PopulationReference,
    SendTimeModel,
    extend_signature,
)
from training.world.simulated import SimulatedWorld

# The same examples in every run, and no clock: machines are shared.
hypothesis_settings.register_profile("house", deadline=None, derandomize=True)
hypothesis_settings.load_profile("house")

REPOSITORY = Path(__file__).resolve().parents[1]
AS_OF = datetime(2026, 6, 10, 7, tzinfo=UTC)  # noon in Almaty
N_CUSTOMERS = 60


def frame_of(name: str, rows: list[dict[str, object]]) -> pd.DataFrame:
    """A conformed frame with these rows; what a row leaves out is null or False."""
    empty = empty_table(name)
    columns = {column.name: column for column in CONTRACTS[name].columns}
    filled = {c: [row.get(c) for row in rows] for c in columns}
    return pd.DataFrame(
        {c: pd.Series(filled[c], dtype=empty[c].dtype) for c in columns}, columns=list(columns)
    )


def customers_in(arm: Arm, engine: Engine) -> list[str]:
    """Customers with consent in that arm."""
    shares, experiment = engine.settings.arms, engine.settings.experiment
    return [
        customer_id
        for n, customer_id in enumerate(engine.snapshot.customers.profile["customer_id"])
        if n % 7 != 6
        and assign_arm(customer_id, experiment=experiment, shares=shares, priority=Priority.MEDIUM)
        is arm
    ]


@pytest.fixture(scope="session")
def tables() -> Tables:
    customers = [
        {
            "customer_id": f"c{n:03d}",
            "signed_up_at": AS_OF - timedelta(days=200 + n),
            "first_name": "Aigerim",
            "language": ("ru", "kk", "en")[n % 3],
            "timezone": "Asia/Almaty",
            "active_from_hour": 8,
            "active_to_hour": 20,
        }
        | {f"consent_{channel}": n % 7 != 6 for channel in Channel}
        for n in range(N_CUSTOMERS)
    ]
    activity = [
        {
            "customer_id": f"c{n:03d}",
            "at": AS_OF - timedelta(days=d, hours=n % 5),
            "kind": "purchase" if d % 9 == 0 else "login",
            "value": 5000.0 if d % 9 == 0 else None,
        }
        for n in range(N_CUSTOMERS)
        for d in range(1 + n % 20, 120, 2 + n % 4)
    ]
    orders = [
        {
            "order_id": f"o{n}",
            "customer_id": f"c{n:03d}",
            "ordered_at": AS_OF - timedelta(days=3),
            "promised_at": AS_OF - timedelta(days=1),
            "amount_cents": 4000,
        }
        for n in range(0, N_CUSTOMERS, 2)
    ]
    return {
        "customers": frame_of("customers", customers),
        "activity": frame_of("activity", activity),
        "orders": frame_of("orders", orders),
    }


def _booster(
    name: str,
    signature: FeatureSignature,
    *,
    seed: int,
    intercept: float = 0.0,
    center: float = 10.0,
) -> BoosterModel:
    rng = np.random.default_rng(seed)
    X = rng.normal(center, 20, (400, len(signature.names)))
    y = (X[:, 0] + rng.normal(0, 5, 400) > center + 5).astype(int)
    params = {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(params, lightgbm.Dataset(X, y), num_boost_round=20)
    calibration = Calibration(1.0, intercept)
    return BoosterModel(name, "1", signature, booster.model_to_string(), calibration)


def _churn_model(signature: FeatureSignature) -> ChurnModel:
    n = len(signature.names)
    booster = _booster("churn", signature, seed=1, center=230.0, intercept=0.5)
    reference = PopulationReference(contributions=(0.0,) * n, medians=(1.0,) * n, margin=0.0)
    return ChurnModel("1", signature, {30: booster}, reference)


def _channel_model(signature: FeatureSignature) -> ChannelModel:
    """Beliefs, and trees over them."""
    model = believe(signature)
    wide = extend_signature(signature)
    outcomes = {
        outcome: replace(believed, trees=_booster(outcome.value, wide, seed=2 + n))
        for n, (outcome, believed) in enumerate(model.outcomes.items())
    }
    return replace(
        model,
        version="1",
        outcomes=outcomes,
        mean_value_cents=dict.fromkeys(TRIGGERS, 3000.0),
        monthly_cents=2000.0,
    )


@pytest.fixture(scope="session")
def models() -> Models:
    churn = signature_of(CHURN_FEATURES)
    engagement = signature_of(ENGAGEMENT_FEATURES)
    return Models(
        churn=_churn_model(churn),
        channel=_channel_model(engagement),
        send_time=SendTimeModel("1", tuple(np.full(168, 1 / 168)), 10.0),
    )


@pytest.fixture(scope="session")
def snapshot(tables: Tables, models: Models) -> Snapshot:
    return make_snapshot(tables, as_of=AS_OF, models=models, bandit=new_bandit())


@pytest.fixture(scope="session")
def cold_snapshot(tables: Tables) -> Snapshot:
    return make_snapshot(tables, as_of=AS_OF, models=Models(), bandit=new_bandit())


@dataclass
class _Ids:
    """Fresh identities that are the same in every run."""

    n: int = field(default=0)

    def __call__(self) -> str:
        self.n += 1
        return f"id{self.n}"


EngineMaker = Callable[[Snapshot], Engine]


@pytest.fixture(scope="session")
def _new_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without anything in it: copying it takes a tenth of making it."""
    place = tmp_path_factory.mktemp("new_store") / "store.db"
    Store(place).close()
    return place


@pytest.fixture
def store(_new_store: Path, tmp_path: Path) -> Iterator[Store]:
    shutil.copy(_new_store, tmp_path / "store.db")
    opened = Store(tmp_path / "store.db")
    yield opened
    opened.close()


@pytest.fixture
def engine_of(store: Store) -> EngineMaker:
    ids = _Ids()

    def make(snapshot: Snapshot) -> Engine:
        return Engine(
            snapshot=snapshot,
            settings=load_policy_settings(),
            economics=default_economics(),
            library=default_library(),
            copy_settings=CopySettings(),
            store=store,
            clock=lambda: AS_OF,
            new_id=ids,
        )

    return make


@pytest.fixture(scope="session")
def tables_folder(tables: Tables, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    write_tables(tables, folder)
    return folder


@pytest.fixture(scope="session")
def evidence_of() -> Callable[[Trigger], dict[str, str | int]]:
    """Complete evidence for each trigger."""
    facts: dict[Trigger, dict[str, str | int]] = {
        Trigger.DELIVERY_DELAY: {
            "order_id": "A-1043",
            "promised_on": "2026-06-09",
            "estimated_on": "2026-06-12",
            "delay_days": 3,
            "urgency": "moderate",
        },
        Trigger.PAYMENT_FAILURE_RISK: {"card_expires_on": "2026-06-30", "plan": "Plus"},
        Trigger.SERVICE_DISRUPTION: {
            "service": "Internet",
            "region": "Almaty",
            "started_at": "2026-06-10T06:00:00+00:00",
        },
        Trigger.SUBSCRIPTION_LIMIT: {"used": 90, "plan_limit": 100, "used_percent": 90},
        Trigger.ACCOUNT_ANOMALY: {"location": "Lisbon", "login_at": "2026-06-10T06:30:00+00:00"},
        Trigger.ORDER_SHIPPED: {
            "order_id": "A-1043",
            "tracking_id": "KZ123",
            "estimated_on": "2026-06-12",
        },
        Trigger.INCIDENT_UPDATE: {"incident": "Heating", "update": "The technician is on site"},
        Trigger.ABANDONED_CART: {"item": "Kettle", "n_items": 2},
        Trigger.BROWSE_ABANDONMENT: {"item": "Kettle"},
        Trigger.PRICE_DROP: {"item": "Kettle", "old_price_cents": 4000, "new_price_cents": 3000},
        Trigger.INACTIVITY: {"days_inactive": 9},
        Trigger.CHURN_RISK: {},
    }
    return lambda trigger: dict(facts[trigger])


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of public data sets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("OPPORTUNE_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public data sets at {folder}; set OPPORTUNE_SHARED_DATA")
    return folder


@pytest.fixture
def clean_tables(_clean_tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Every table of the contracts, 20 rows each, valid and known before 2024-03-01."""
    return {name: frame.copy() for name, frame in _clean_tables.items()}


@pytest.fixture(scope="session")
def _clean_tables() -> dict[str, pd.DataFrame]:
    n = 20
    rows = range(n)
    at = pd.Series(pd.date_range("2024-01-01", periods=n, freq="1D", tz="UTC", unit="us"))
    day = pd.Timedelta(days=1)
    customer_id = [f"c{row}" for row in rows]
    half = pd.Series([row % 2 == 0 for row in rows])
    raw = {
        "customers": {
            "customer_id": customer_id,
            "signed_up_at": at,
            "first_name": ["Айгүл" if row % 2 else None for row in rows],
            "language": "kk",
            "timezone": "Asia/Almaty",
            "preferred_channel": ["push" if row % 2 else None for row in rows],
            **{
                f"consent_{channel}": pd.Series([True, None, False, True] * 5, dtype="boolean")
                for channel in ("email", "sms", "push", "in_app", "whatsapp")
            },
            "active_from_hour": pd.Series([9, None] * 10, dtype="Int64"),
        },
        "activity": {
            "customer_id": customer_id,
            "at": at + day,
            "kind": "page_view",
            "value": [1.5, None] * 10,
            "item": "tea",
        },
        "orders": {
            "order_id": [f"o{row}" for row in rows],
            "customer_id": customer_id,
            "ordered_at": at + day,
            "delivered_at": (at + 3 * day).where(half),
            "amount_cents": range(100, 100 + n),
        },
        "shipments": {
            "tracking_id": [f"t{row // 2}" for row in rows],
            "updated_at": at,
            "estimated_at": at + day,
            "status": "on its way",
        },
        "subscriptions": {
            "customer_id": customer_id,
            "valid_from": at,
            "plan": "basic",
            "mrr_cents": 990,
            "status": "active",
            "card_expires_on": pd.Timestamp("2025-06-30", tz="UTC"),
            "upsell_shown": half,
        },
        "usage": {"customer_id": customer_id, "at": at, "used": 3.5},
        "invoices": {
            "invoice_id": [f"i{row}" for row in rows],
            "customer_id": customer_id,
            "issued_at": at,
            "due_at": at + 14 * day,
            "paid_at": (at + day).where(half),
            "amount_cents": 990,
            "disputed": half,
        },
        "tickets": {
            "ticket_id": [f"k{row}" for row in rows],
            "customer_id": customer_id,
            "opened_at": at,
            "resolved_at": (at + day).where(half),
            "escalated": ~half,
        },
        "surveys": {"customer_id": customer_id, "at": at, "nps": [row % 11 for row in rows]},
        "prices": {"item": "tea", "at": at, "price_cents": 250},
        "disruptions": {
            "disruption_id": [f"d{row}" for row in rows],
            "region": "north",
            "starts_at": at,
            "ends_at": (at + day).where(half),
            "service": "internet",
        },
        "messages": {
            "message_id": [f"m{row}" for row in rows],
            "decision_id": [f"x{row}" for row in rows],
            "customer_id": customer_id,
            "trigger": "price_drop",
            "channel": "email",
            "sent_at": at,
            "arm": "random",
            "propensity": 0.25,
            "cost_cents": 0.1,
        },
        "decisions": {
            "decision_id": [f"x{row}" for row in rows],
            "customer_id": customer_id,
            "trigger": "price_drop",
            "decided_at": at,
            "arm": "random",
            "channel": ["email" if row % 2 else None for row in rows],
            **{f"p_{channel}": 0.1 for channel in Channel},
        },
        "outcomes": {
            "message_id": [f"m{row}" for row in rows],
            "outcome": "opened",
            "at": at + pd.Timedelta(hours=6),
            "machine": half,
        },
        "inbound": {
            "inbound_id": [f"b{row}" for row in rows],
            "at": at,
            "customer_id": [f"c{row}" if row % 2 else None for row in rows],
            "source": "whatsapp",
            "text": 'Where is "it", please?\nThanks',
        },
        "vendors": {
            "vendor_id": [f"v{row}" for row in rows],
            "kind": "plumber",
            "name": "Aqua",
            "region": "north",
            "rating": 4.5,
            "eta_minutes": 30.0,
            "whatsapp": half,
            "rate_cents": 5000,
        },
    }
    return dict(require_valid({name: pd.DataFrame(table) for name, table in raw.items()}))


NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The URL of a PostgreSQL server of our own, on a socket; skips where its programs lack."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    programs = found[-1].parent if found else None
    if programs is None:
        installed = shutil.which("initdb")
        if installed is None:
            pytest.skip("no PostgreSQL programs (initdb) in /usr/lib/postgresql or on the path")
        programs = Path(installed).parent
    # The server refuses to run as root, and its user may not look into pytest's folders.
    is_root = os.geteuid() == 0
    prefix = ["runuser", "-u", "postgres", "--"] if is_root else []
    folder = Path(tempfile.mkdtemp(prefix="opportune-postgres-"))
    if is_root:
        shutil.chown(folder, "postgres")

    def run(*arguments: str) -> None:
        command = [*prefix, str(programs / arguments[0]), *arguments[1:]]
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"

    data = str(folder / "data")
    run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    try:
        run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield f"postgresql+psycopg://postgres@/postgres?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_postgres_database(postgres_url: str) -> NewDatabase:
    """Makes an empty database on that server, and says its URL."""
    numbers = iter(range(1_000_000))

    def make() -> str:
        name = f"test_{next(numbers)}"
        with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgres_url.replace("@/postgres", f"@/{name}")

    return make


# ------------------------------------------------------------ a company, day by day

_N_DAYS = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _as_event(fact: Fact) -> Event:
    """A fact as it is posted."""
    kinds = {column.name: column.kind for column in CONTRACTS[fact.table].columns}
    row: dict[str, object] = {}
    for name, cell in fact.row.items():
        if kinds[name] in (Kind.TIME, Kind.DATE):
            moment = _EPOCH + timedelta(microseconds=int(cell))
            row[name] = (
                moment.date().isoformat() if kinds[name] is Kind.DATE else moment.isoformat()
            )
        else:
            row[name] = cell
    return Event.model_validate({"table": fact.table, "row": row})


def _find_news(before: Tables, after: Tables) -> list[Event]:
    """Rows of the later tables that the earlier ones do not hold as they are, in order."""
    told = {
        (name, fact.digest)
        for name, frame in before.items()
        if CONTRACTS[name].moment
        for fact in facts_of(frame, name)
    }
    news = [
        fact
        for name, frame in after.items()
        if CONTRACTS[name].moment
        for fact in facts_of(frame, name)
        if (name, fact.digest) not in told
    ]
    return [_as_event(fact) for fact in sorted(news, key=lambda fact: fact.knowable_us)]


@dataclass(frozen=True)
class CompanyDays:
    """A company over some days.

    Attributes:
        start: The first morning.
        tables: Tables as they were known each morning, one more than there are days.
        news: What happened each day.
    """

    start: datetime
    tables: tuple[Tables, ...]
    news: tuple[list[Event], ...]

    def morning(self, day: int) -> datetime:
        """The beginning of a day."""
        return self.start + timedelta(days=day)


@pytest.fixture(scope="session")
def days() -> CompanyDays:
    world = SimulatedWorld(seed=5, n_customers=120, days=60)
    tables = [dict(world.tables(world.start))]
    for day in range(_N_DAYS):
        world.advance(world.start + timedelta(days=day + 1))
        tables.append(dict(world.tables(world.start + timedelta(days=day + 1))))
    news = [_find_news(a, b) for a, b in pairwise(tables)]
    return CompanyDays(world.start, tuple(tables), tuple(news))


EventMaker = Callable[..., Event]


@pytest.fixture
def event() -> EventMaker:
    """Makes an event of a row; moments may be datetimes."""

    def make(table: str, /, event_id: str | None = None, **row: object) -> Event:
        cells = {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}
        return Event.model_validate({"table": table, "row": cells, "event_id": event_id})

    return make


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkEngine]:
    """Spark on two cores, one session for all tests: starting one takes seconds.

    Two partitions, and plans that are not changed on the way, since the data is small; Java's quick
    compiler alone, since no query runs long enough to repay the thorough one. Tests that need Spark
    are skipped where Java or PySpark is missing.
    """
    engine = SparkEngine()
    settings = (
        "--conf spark.sql.shuffle.partitions=2 --conf spark.sql.adaptive.enabled=false"
        " --conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN"
        " --conf spark.driver.host=127.0.0.1 --conf spark.ui.enabled=false"
        " --conf spark.sql.constraintPropagation.enabled=false"
        " --driver-java-options '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC'"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"--master local[2] {settings} pyspark-shell")
        try:
            engine.start()
        except ConfigurationError as error:
            pytest.skip(str(error))
        yield engine
    engine.stop()
