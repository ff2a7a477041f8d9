"""The benchmark of detection: its chains, its rivals and its rows."""

from pathlib import Path

import numpy as np
import pytest

from serving.autopilot.detection.settings import DetectionSettings
from serving.autopilot.detection.week import WEEK_HOURS, WeekShape
from serving.benchmarks.incidents.bench import OURS, IncidentsPlan, bench_incidents
from serving.benchmarks.incidents.chains import (
    FAKE,
    REFERENCE,
    ChainPlan,
    IncidentKind,
    Law,
    make_chain,
    true_weights,
)
from serving.benchmarks.incidents.peers import PEERS, make_past
from serving.benchmarks.incidents.plot import plot_incidents


@pytest.mark.parametrize("law", list(Law))
def test_chain_has_the_level_rhythm_and_duplicates_it_was_asked_for(law: Law) -> None:
    chain = make_chain(ChainPlan(2.0, law, n_weeks=12), rng=np.random.default_rng(1))
    per_day = len(chain.at_hours) / (80 * 84)
    assert per_day == pytest.approx(2.0 * 1.06, rel=0.15)
    distinct = chain.distinct(apart_hours=12.0)
    assert 0.03 < 1 - len(distinct.at_hours) / len(chain.at_hours) < 0.09
    hours = np.floor(chain.at_hours).astype(int) % 24
    found = np.bincount(hours, minlength=24) / len(hours)
    expected = true_weights().reshape(7, 24).sum(axis=0) / WEEK_HOURS
    assert np.corrcoef(found, expected)[0, 1] > 0.97
    assert (np.diff(chain.at_hours) >= 0).all()


@pytest.mark.parametrize("kind", [REFERENCE, FAKE])
def test_chain_holds_what_was_injected(kind: IncidentKind) -> None:
    plan = ChainPlan(0.3, Law.GAMMA, n_weeks=12, n_incidents=50, incident=kind)
    chain = make_chain(plan, rng=np.random.default_rng(2))
    assert len(chain.injected) == 50
    for one in chain.injected:
        assert one.at_hours[0] >= 8 * WEEK_HOURS
        assert 60 * (one.at_hours[-1] - one.at_hours[0]) <= kind.minutes
        rows = np.isin(chain.at_hours, one.at_hours) & (chain.stream == one.stream)
        assert len(set(chain.customer[rows].tolist())) == kind.n_people


@pytest.mark.parametrize("name", list(PEERS))
def test_peers_find_seven_complaints_stranger_than_what_was_before(name: str) -> None:
    rng = np.random.default_rng(4)
    before = np.sort(rng.uniform(0, 60 * 24, 30))
    burst = 60 * 24 + 30 + np.linspace(0, 40 / 60, 7)
    shape = WeekShape((1.0,) * WEEK_HOURS, "UTC")
    past = make_past(
        np.concatenate([before, burst]),
        shape=shape,
        prior=0.5 / 24,
        phi=0.4,
        settings=DetectionSettings(),
    )
    scores = PEERS[name](past)
    assert scores.shape == (37,)
    assert np.isfinite(scores).all()
    assert scores[-1] > scores[:30].max()


def test_bench_rows_have_every_method_and_keep_the_promise(tmp_path: Path) -> None:
    plan = IncidentsPlan(seed=5, per_day=(0.5,), laws=(Law.CONTAGION,), n_weeks=12, n_incidents=40)
    rows = bench_incidents(plan)
    found = {(row.case, row.metric): row for row in rows}
    for method in (OURS, *PEERS):
        alarms = found["0.5 a day, contagion", f"{method}/false_alarms_per_week"]
        assert alarms.low is not None
        assert alarms.high is not None
        assert alarms.low <= alarms.ours <= alarms.high
        share = found["0.5 a day, contagion: 7 in 40 min", f"{method}/found_share"]
        assert 0.0 <= share.ours <= 1.0
        assert share.n == 40
    ours = found["0.5 a day, contagion: 7 in 40 min", f"{OURS}/median_delay"]
    assert ours.ours <= 15.0
    assert found["0.5 a day, contagion: 7 in 40 min", f"{OURS}/found_share"].ours >= 0.95
    fake = found["0.5 a day, contagion: 7 messages, 2 people", f"{OURS}/found_share"]
    assert fake.ours <= 0.2
    plot_incidents(rows, tmp_path / "made" / "plot.png")
    assert (tmp_path / "made" / "plot.png").read_bytes().startswith(b"\x89PNG")
