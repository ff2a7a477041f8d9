"""Customers of a batch as files: what a snapshot knows of each, made by an engine, never in memory.

Each file has one row per customer (`notices`: one per notice). Joined by customer_id, their rows
are a snapshot of whichever customers are in a part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.all_features import ALL_FEATURES
from features.churn import CHURN_FEATURES
from features.churn.risk import RiskRules
from features.contracts import CONTRACTS, DTYPES, Kind
from features.engagement import ENGAGEMENT_FEATURES
from features.engines import Engine
from features.engines.batches import RowMapper
from features.engines.engine import base_column
from features.point_in_time.build import write_features
from features.point_in_time.facts import open_known_facts
from features.point_in_time.hours_file import HOUR_COLUMNS, write_hours
from features.point_in_time.spine import EveryCustomer, to_micros
from features.tables import Tables
from features.vocabulary import Outcome, Trigger
from serving.batch.scores import make_scorer, score_rows
from serving.policy.cases import DAY_US, Floats
from serving.snapshot.making import CONTACT_DAYS, make_profile
from serving.snapshot.state import Customers, Models
from serving.store.store import StoredContact

_CUSTOMERS = CONTRACTS["customers"]
_OPENS = (Outcome.OPENED, Outcome.CLICKED)

_PROFILE = tuple(column.name for column in _CUSTOMERS.columns)
_NUMBERS = tuple(dict.fromkeys((*CHURN_FEATURES.names, *ENGAGEMENT_FEATURES.names)))

_NOTICES = """
SELECT m.customer_id, m.decision_id, m.about, MIN(m.sent_at) AS sent_at_us,
    MAX(CASE WHEN o.message_id IS NULL THEN 0 ELSE 1 END) AS opened
FROM messages m LEFT JOIN (
    SELECT DISTINCT message_id FROM outcomes WHERE outcome IN ({opens})
) o ON o.message_id = m.message_id
WHERE m.sent_at >= {since}
GROUP BY m.customer_id, m.decision_id, m.about
"""


@dataclass(frozen=True)
class CustomerFiles:
    """Where the files of a batch are.

    Attributes:
        profile: Columns of the table `customers`.
        features: customer_id, as_of and `ALL_FEATURES`.
        weeks: customer_id and 168 counts of the week, null where they are 0.
        notices: customer_id, decision_id, about, sent_at_us and opened (0 or 1).
        scores: customer_id, p_churn and more; None without a churn champion.
    """

    profile: Path
    features: Path
    weeks: Path
    notices: Path
    scores: Path | None

    def by_name(self) -> dict[str, Path]:
        """The files that exist."""
        found = {
            "profile": self.profile,
            "features": self.features,
            "weeks": self.weeks,
            "notices": self.notices,
        }
        return found if self.scores is None else {**found, "scores": self.scores}


def write_customers(
    tables: Tables,
    folder: Path,
    *,
    as_of: datetime,
    models: Models,
    rules: RiskRules,
    engine: Engine,
    mapper: RowMapper,
) -> CustomerFiles:
    """Write everything that decisions need of every customer known before `as_of`.

    Args:
        tables: Conformed tables, best as files.
        folder: Where to; every machine of the engine must see it.
        as_of: Aware moment.
        models: Champions.
        rules: How a probability of churn becomes a tier.
        engine: Where the SQL runs.
        mapper: Where the scores are made.
    """
    everybody = EveryCustomer(as_of)
    features, weeks = folder / "features", folder / "weeks"
    write_features(tables, everybody, features, features=ALL_FEATURES, engine=engine)
    write_hours(tables, everybody, weeks, engine=engine)
    _write_profiles(tables, folder, as_of=as_of, engine=engine)
    scores = None
    if models.churn is not None:
        scores = folder / "scores"
        scorer = make_scorer(models, features, mapper=mapper, rules=rules)
        score_rows(scorer, features, mapper=mapper, out=scores)
    return CustomerFiles(folder / "profile", features, weeks, folder / "notices", scores)


def _write_profiles(tables: Tables, folder: Path, *, as_of: datetime, engine: Engine) -> None:
    at = to_micros(as_of)
    times = [column.name for column in _CUSTOMERS.columns if column.kind is Kind.TIME]
    columns = ", ".join(base_column(column.name) for column in _CUSTOMERS.columns)
    notices = _NOTICES.format(
        opens=", ".join(f"'{outcome}'" for outcome in _OPENS), since=at - CONTACT_DAYS * DAY_US
    )
    names = ("customers", "messages", "outcomes")
    with open_known_facts(tables, names=names, before=at, engine=engine) as facts:
        facts.write(f"SELECT {columns} FROM customers", folder / "profile", times=times)
        facts.write(notices, folder / "notices")


def select_cases(files: CustomerFiles) -> str:
    """Spark's text of cases with their customers: every relation is named as in `CustomerFiles`."""
    profile = ", ".join(f"p.{name}" for name in _PROFILE if name != "customer_id")
    numbers = ", ".join(f"f.{name}" for name in _NUMBERS)
    hours = ", ".join(f"w.{name}" for name in HOUR_COLUMNS)
    p_churn = "CAST(NULL AS DOUBLE)" if files.scores is None else "s.p_churn"
    scores = "" if files.scores is None else "LEFT JOIN scores s ON s.customer_id = c.customer_id"
    return f"""
SELECT c.*, {profile}, {numbers}, {hours}, {p_churn} AS p_churn, n.notices
FROM cases c
    LEFT JOIN profile p ON p.customer_id = c.customer_id
    LEFT JOIN features f ON f.customer_id = c.customer_id
    LEFT JOIN weeks w ON w.customer_id = c.customer_id
    LEFT JOIN (
        SELECT customer_id, COLLECT_LIST(STRUCT(decision_id, about, sent_at_us, opened)) AS notices
        FROM notices GROUP BY customer_id
    ) n ON n.customer_id = c.customer_id
    {scores}"""


def read_customers(rows: pa.Table) -> tuple[Customers, tuple[StoredContact, ...]]:
    """The customers of these rows, sorted by customer_id, and the log's notices to them.

    Args:
        rows: As `select_cases` selects them, sorted by customer_id; who has no profile is unknown,
            and a customer with several rows counts once.
    """
    rows = rows.filter(pc.is_valid(rows["language"]))
    ids = rows["customer_id"].to_numpy(zero_copy_only=False)
    is_first = np.ones(len(ids), dtype=bool)
    is_first[1:] = ids[1:] != ids[:-1]
    rows = rows.filter(pa.array(is_first))
    customers = Customers(
        profile=make_profile(_to_frame(rows)),
        churn=_to_matrix(rows, CHURN_FEATURES.names),
        engagement=_to_matrix(rows, ENGAGEMENT_FEATURES.names),
        week_counts=np.nan_to_num(_to_matrix(rows, HOUR_COLUMNS)),
        p_churn=_to_matrix(rows, ("p_churn",))[:, 0],
    )
    notices = zip(rows["customer_id"].to_pylist(), rows["notices"].to_pylist(), strict=True)
    contacts = tuple(
        StoredContact(
            notice["decision_id"],
            customer_id,
            Trigger(notice["about"]),
            notice["sent_at_us"],
            opened=bool(notice["opened"]),
        )
        for customer_id, found in notices
        for notice in found or ()
    )
    return customers, contacts


def _to_frame(rows: pa.Table) -> pd.DataFrame:
    """The table `customers` of these rows, as conformed tables are."""
    return pd.DataFrame(
        {
            column.name: pd.Series(rows[column.name].to_pylist(), dtype=DTYPES[column.kind])
            for column in _CUSTOMERS.columns
        }
    )


def _to_matrix(rows: pa.Table, names: Sequence[str]) -> Floats:
    """Columns as a matrix (n, columns); null is NaN."""
    columns = [rows[name].to_numpy(zero_copy_only=False) for name in names]
    return np.column_stack(columns).astype(np.float64, copy=False)
