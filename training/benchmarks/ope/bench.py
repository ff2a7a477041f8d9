"""`opportune bench ope`: published figures of the Open Bandit data, and coverage of the truth."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from training.benchmarks.ope.open_bandit import (
    Campaign,
    clicks_by_slate,
    place_banners,
    read_banner_log,
    thompson_slate,
    weigh_banners,
)
from training.benchmarks.ope.simulated import bench_simulated
from training.benchmarks.ope.slates import bench_slates
from training.benchmarks.rows import BenchRow
from training.ope.estimators import Estimator, estimate_parts
from training.ope.intervals import bootstrap_interval, normal_interval
from training.ope.overlap import measure_overlap
from training.ope.slates import Looking, weigh_slates

FOLDER: Final = "open_bandit_small"
STRENGTHS: Mapping[Estimator, float] = MappingProxyType(
    {
        Estimator.CLIPPED: 10.0,
        Estimator.SUB_GAUSSIAN: 0.005,
        Estimator.SWITCH_DR: 10.0,
        Estimator.DROS: 10.0,
    }
)
"""As the figures were published."""

PUBLISHED: Mapping[Estimator, float] = MappingProxyType(
    {Estimator.IPS: 0.004553, Estimator.DM: 0.003545, Estimator.DR: 0.004727}
)
"""Click rate of the bandit by the random log, campaign all (zr-obp, examples/quickstart/obd.ipynb
of 2022-11-04)."""


def bench_ope(data: Path, *, n_runs: int, seed: int, tell: Callable[[str], None]) -> list[BenchRow]:
    """Both parts; without the Open Bandit data the second one only.

    Args:
        data: Folder of the Open Bandit data, or of all public data.
        n_runs: Simulated logs of each kind.
        seed: Of everything random that is not published.
        tell: Told how it goes on.
    """
    folder = data / FOLDER if (data / FOLDER).is_dir() else data
    rows = []
    if (folder / "prior_bts.yaml").exists():
        for campaign in Campaign:
            tell(f"Open Bandit, {campaign}")
            rows += bench_campaign(folder, campaign, seed=seed)
    else:
        tell(f"{folder} holds no Open Bandit data: its figures are left out")
    rows += bench_simulated(n_runs=n_runs, seed=seed, tell=tell)
    return rows + bench_slates(n_runs=n_runs, seed=seed, tell=tell)


def bench_campaign(folder: Path, campaign: Campaign, *, seed: int) -> list[BenchRow]:
    """Every estimate of the bandit's click rate from the random log, and how far it is off."""
    log = read_banner_log(folder, policy="random", campaign=campaign)
    slate = thompson_slate(folder, campaign=campaign)
    weighted = weigh_banners(log, slate)
    of_bandit = read_banner_log(folder, policy="bts", campaign=campaign)
    truth = float(of_bandit.clicks.mean())
    case = f"open bandit, {campaign}"
    rows = []
    for by in Estimator:
        parts = estimate_parts(weighted, by=by, strength=STRENGTHS.get(by))
        found = bootstrap_interval(
            parts, customers=weighted.customers, rng=np.random.default_rng(seed)
        )
        published = PUBLISHED.get(by) if campaign is Campaign.ALL else None
        name = None if published is None else "published"
        low, high = (None, None) if by is Estimator.DM else (found.low, found.high)
        rows.append(BenchRow(case, str(by), found.value, low, high, published, name, "1", log.n))
        off = abs(found.value - truth) / truth
        rows.append(BenchRow(case, f"relative_error_{by}", off, None, None, None, None, "1", log.n))
    overlap = measure_overlap(weighted)
    rows.append(
        BenchRow(case, "n_effective", overlap.n_effective, None, None, None, None, "1", log.n)
    )
    whole = weigh_slates(place_banners(log, slate), looking=Looking.EACH_PLACE)
    found = normal_interval(estimate_parts(whole, by=Estimator.IPS), customers=whole.customers)
    own = clicks_by_slate(of_bandit)
    rows.append(
        BenchRow(
            case, "slate_ips", found.value, found.low, found.high, own, "bandit's own", "1", log.n
        )
    )
    return rows
