"""A day's decisions where no machine holds all customers: from tables to records in the store.

Files are the only thing that passes from one step to the next, and the driver reads them in lots:

    tables -> what is known of each customer, scores, cases   (SQL and functions, on the engine)
    cases -> requests with what the store knows               (driver, in lots)
    requests + customers -> decisions                         (the service's engine, on executors)
    decisions -> store                                        (driver, in lots, each key once)
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.engines import Engine
from features.engines.batches import read_batches
from features.engines.spark import SparkEngine
from features.errors import ConfigurationError
from features.tables import Tables
from features.triggers import write_triggers
from serving.batch.customers import CustomerFiles, select_cases, write_customers
from serving.batch.decisions import (
    DECISIONS,
    CaseDecider,
    book_decisions,
    write_cases,
    write_models,
)
from serving.home import claim_home, remembered_customers
from serving.policy.cases import to_us
from serving.publish import learn_bandit
from serving.records import DecisionRequest
from serving.requests import at_risk_requests, requests_of
from serving.runtime import EngineParts
from serving.snapshot.state import Models
from serving.store.incidents import Incident
from training.bandit.policy import VariantPolicy

_FOUND = ("customer_id", "trigger", "key", "evidence", "began_at", "expires_at")
_OLDEST = 50


@dataclass(frozen=True)
class BatchReport:
    """What came of a batch.

    Attributes:
        n_decisions: Records in the file, those decided before among them.
        n_before: Of them, decided before.
        reasons: Decisions by reason.
    """

    n_decisions: int
    n_before: int
    reasons: Mapping[str, int]


def decide_on_spark(
    tables: Tables,
    out: Path,
    *,
    as_of: datetime,
    models: Models,
    parts: EngineParts,
    engine: SparkEngine,
    predictions: pd.DataFrame | None = None,
) -> BatchReport:
    """Decide about everybody a trigger was found for; records go to a file, then to the store.

    Raises:
        ConfigurationError: The policy has budgets.

    Args:
        tables: Conformed tables, best as files.
        out: Folder for the decisions; what leads to them lies beside it meanwhile.
        as_of: Aware moment.
        models: Champions.
        parts: Policy, prices, texts and the store.
        engine: Spark.
        predictions: What a model expects of orders on their way; see `find_triggers`.
    """
    models.require_running_features()
    _refuse_budgets(parts)
    work = out.with_name(f"{out.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    try:
        prepared = prepare_batch(
            tables,
            work,
            as_of=as_of,
            models=models,
            parts=parts,
            engine=engine,
            predictions=predictions,
        )
        return decide_prepared(prepared, out, models=models, parts=parts, engine=engine)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@dataclass(frozen=True)
class PreparedBatch:
    """Everything that decisions need, as files.

    Attributes:
        as_of: Moment of the batch.
        customers: What is known of each customer.
        cases: Requests with what the store knows.
        n_before: Requests that were answered before.
        bandit: What every matured message has taught.
    """

    as_of: datetime
    customers: CustomerFiles
    cases: Path
    n_before: int
    bandit: VariantPolicy


def prepare_batch(
    tables: Tables,
    work: Path,
    *,
    as_of: datetime,
    models: Models,
    parts: EngineParts,
    engine: SparkEngine,
    predictions: pd.DataFrame | None = None,
) -> PreparedBatch:
    """From tables to cases with their customers; see `decide_on_spark`."""
    customers = write_customers(
        tables,
        work,
        as_of=as_of,
        models=models,
        rules=parts.risk,
        engine=engine,
        mapper=engine,
    )
    write_triggers(
        tables, work / "found", as_of=as_of, predictions=predictions, engine=engine, mapper=engine
    )
    requests = _list_requests(
        work / "found", customers, as_of=as_of, prices=_find_prices(tables, as_of, engine=engine)
    )
    n_before = write_cases(requests, parts.store, out=work / "cases.parquet")
    bandit = learn_bandit(tables, parts.store, as_of=as_of, policy=parts.policy, engine=engine)
    return PreparedBatch(as_of, customers, work / "cases.parquet", n_before, bandit)


def decide_prepared(
    batch: PreparedBatch, out: Path, *, models: Models, parts: EngineParts, engine: SparkEngine
) -> BatchReport:
    """From cases to records in a file, then in the store; see `decide_on_spark`."""
    words = parts.keeper.words()
    n_decisions = engine.map_by_customer(
        {"cases": batch.cases, **batch.customers.by_name()},
        CaseDecider(
            version="0",
            as_of_us=to_us(batch.as_of),
            models=write_models(models),
            bandit=words.believe(batch.bandit).to_json(),
            policy=parts.policy,
            economics=parts.economics,
            copy_settings=parts.copy_settings,
            regional=_find_regional(parts, as_of=batch.as_of),
            # What ships is on every machine; only stored variants must travel.
            library=words.library if words.made_at else None,
            novices=parts.keeper.find_novices(
                words, policy=parts.policy, learned_until=batch.as_of
            ),
        ),
        text=select_cases(batch.customers),
        order=("position",),
        schema=DECISIONS,
        out=out,
    )
    return BatchReport(n_decisions, batch.n_before, book_decisions(out, parts.store))


def _refuse_budgets(parts: EngineParts) -> None:
    """A budget holds across all customers, and here each part of them is decided on its own."""
    if parts.policy.budgets:
        names = ", ".join(budget.name for budget in parts.policy.budgets)
        raise ConfigurationError(
            f"policy {parts.policy.name}: budgets ({names}) cannot be kept on Spark: decide with "
            "the duckdb engine, or by a policy without budgets"
        )


def _find_regional(parts: EngineParts, *, as_of: datetime) -> tuple[Incident, ...]:
    """Incidents of regions that are open at that moment or end later."""
    with parts.store.reading() as session:
        found = session.find_incidents([], since_us=to_us(as_of))
    return tuple(incident for incident in found if incident.region is not None)


def claim_home_by_sample(home: Path, tables: Tables, *, engine: Engine) -> None:
    """Claim a home as `claim_home` does, from the few customers that tell a company."""
    known = ", ".join(f"'{id_}'" for id_ in remembered_customers(home) if "'" not in id_)
    text = "SELECT customer_id, signed_up_at FROM base_customers"
    chosen = (
        f"{text} WHERE customer_id IN ({known})"
        if known
        else (f"{text} ORDER BY signed_up_at, customer_id LIMIT {_OLDEST}")
    )
    with engine.open(tables, names=("customers",)) as relations:
        found = relations.query(chosen)
    signed_up = pd.to_datetime(found["signed_up_at"], unit="us", utc=True)
    claim_home(home, {"customers": found.assign(signed_up_at=signed_up.dt.as_unit("us"))})


def _find_prices(tables: Tables, as_of: datetime, *, engine: Engine) -> pd.DataFrame | None:
    """The last price of each item known before the moment; None without the table."""
    if "prices" not in tables:
        return None
    text = (
        "SELECT item, MAX_BY(price_cents, at) AS price_cents, MAX(at) AS at "
        f"FROM base_prices WHERE at < {to_us(as_of)} GROUP BY item"
    )
    with engine.open(tables, names=("prices",)) as relations:
        found = relations.query(text)
    return found.assign(at=pd.to_datetime(found["at"], unit="us", utc=True))


def _list_requests(
    found: Path, customers: CustomerFiles, *, as_of: datetime, prices: pd.DataFrame | None
) -> Iterator[DecisionRequest]:
    """Requests in the order of the in-process run: triggers, then whoever may be lost."""
    for batch in read_batches(found, columns=_FOUND):
        yield from requests_of(batch.to_pandas(), as_of=as_of, prices=prices)
    if customers.scores is not None:
        for batch in read_batches(customers.scores, columns=("customer_id", "tier")):
            customer_ids, tiers = (batch[name].to_pylist() for name in ("customer_id", "tier"))
            yield from at_risk_requests(customer_ids, tiers, as_of=as_of)
