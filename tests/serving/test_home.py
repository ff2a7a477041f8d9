from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from features.errors import ConfigurationError
from features.tables import Tables
from serving.home import claim_home, require_same_company
from training.world.scenario import CALM
from training.world.simulated import SimulatedWorld


def test_claim_home_knows_the_same_company_later(tables: Tables, tmp_path: Path) -> None:
    customers = tables["customers"]
    newest = customers.nlargest(10, "signed_up_at").index
    earlier = {**tables, "customers": customers.drop(index=newest)}
    one_erased = {**tables, "customers": customers.drop(index=customers.index[-1])}

    for known in (earlier, tables, one_erased, tables):
        claim_home(tmp_path, known)


def test_claim_home_refuses_another_company_with_the_same_ids(tmp_path: Path) -> None:
    def company(seed: int) -> Tables:
        world = SimulatedWorld(seed=seed, n_customers=60, days=15, scenario=replace(CALM))
        return world.tables(world.start)

    first, second = company(1), company(2)
    common = set(first["customers"]["customer_id"]) & set(second["customers"]["customer_id"])
    claim_home(tmp_path, first)

    assert len(common) > 20
    with pytest.raises(ConfigurationError, match="OPPORTUNE_HOME"):
        claim_home(tmp_path, second)


def test_claim_home_refuses_strangers(tables: Tables, tmp_path: Path) -> None:
    claim_home(tmp_path, tables)
    strangers = tables["customers"].assign(
        customer_id=pd.Series([f"x{n}" for n in range(60)], dtype="str")
    )

    with pytest.raises(ConfigurationError, match="another company"):
        claim_home(tmp_path, {**tables, "customers": strangers})


def test_require_same_company_writes_nothing_and_refuses_strangers(
    tables: Tables, tmp_path: Path
) -> None:
    strangers = tables["customers"].assign(
        customer_id=pd.Series([f"x{n}" for n in range(60)], dtype="str")
    )
    home = tmp_path / "home"
    require_same_company(home, tables)
    assert not home.exists()
    claim_home(home, tables)
    require_same_company(home, tables)
    with pytest.raises(ConfigurationError, match="another company"):
        require_same_company(home, {**tables, "customers": strangers})
