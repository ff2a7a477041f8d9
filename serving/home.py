"""A home belongs to one company: models, store and snapshots of two must not mix."""

import json
from pathlib import Path

from features.contracts import CONTRACTS
from features.errors import ConfigurationError
from features.tables import Tables, rows_that_hold

_FILE = "company.json"
_N_REMEMBERED = 50
_SHARE_KNOWN = 0.5  # customers may be erased, but not half of the oldest at once


def claim_home(home: Path, tables: Tables) -> None:
    """Remember whose tables this home serves; refuse those of another company.

    A company is known by its oldest customers and when they signed up, which later tables of the
    same company still hold.

    Args:
        home: Folder of the state; made where it is missing.
        tables: Conformed tables, all that is known.

    Raises:
        ConfigurationError: The home was used with tables of other customers.
    """
    pairs = _oldest_first(tables)
    path = home / _FILE
    if path.exists():
        _require_known(home, pairs)
        return
    home.mkdir(parents=True, exist_ok=True)
    oldest = dict(list(pairs.items())[:_N_REMEMBERED])
    path.write_text(json.dumps(oldest), encoding="utf-8")


def require_same_company(home: Path, tables: Tables) -> None:
    """Refuse tables of another company as `claim_home` does; nothing is written.

    Args:
        home: Folder of the state; one that serves no company yet takes any.
        tables: Conformed tables.

    Raises:
        ConfigurationError: The home was used with tables of other customers.
    """
    if (home / _FILE).exists():
        _require_known(home, _oldest_first(tables))


def _oldest_first(tables: Tables) -> dict[str, int]:
    """When each customer signed up, the oldest first."""
    customers = rows_that_hold(tables["customers"], CONTRACTS["customers"])
    customers = customers.sort_values(["signed_up_at", "customer_id"])
    signed_up = customers["signed_up_at"].astype("int64")
    return dict(zip(customers["customer_id"], signed_up.tolist(), strict=True))


def _require_known(home: Path, pairs: dict[str, int]) -> None:
    remembered = remembered_customers(home)
    n_known = sum(pairs.get(customer) == moment for customer, moment in remembered.items())
    if n_known < _SHARE_KNOWN * len(remembered):
        raise ConfigurationError(
            f"{home} holds models and decisions of another company: of {len(remembered)} "
            f"customers remembered there, these tables know {n_known}; "
            "set OPPORTUNE_HOME to a folder of their own"
        )


def remembered_customers(home: Path) -> dict[str, int]:
    """The oldest customers of the home's company and when they signed up; empty when it is new."""
    path = home / _FILE
    if not path.exists():
        return {}
    remembered: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return remembered
