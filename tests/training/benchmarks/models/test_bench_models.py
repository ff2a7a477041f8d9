from collections.abc import Sequence
from pathlib import Path

import pytest

from features.errors import BadInputError
from training.benchmarks.models import bench
from training.benchmarks.models.bench import PUBLIC_SETS, WORLDS, ModelsPlan, bench_models
from training.benchmarks.models.judging import make_figure
from training.benchmarks.models.speed import bench_speed
from training.benchmarks.rows import BenchRow


def test_sets_without_a_folder_are_named_and_left_out(tmp_path: Path) -> None:
    told: list[str] = []
    plan = ModelsPlan(tmp_path, [0], only=tuple(PUBLIC_SETS))
    assert bench_models(plan, tell=told.append) == []
    assert len(told) == len(PUBLIC_SETS)
    for name, public in PUBLIC_SETS.items():
        assert any(name in line and public.folder in line for line in told)


def test_only_what_is_asked_for_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(path: Path, *, seeds: Sequence[int]) -> list[BenchRow]:
        return [make_figure(path.name, "seeds", float(len(seeds)), beside=None, n=1)]

    (tmp_path / "telco_churn").mkdir()
    (tmp_path / "cdnow").mkdir()
    sets = {
        "telco": bench.PublicSet("telco_churn", measure),
        "cdnow": bench.PublicSet("cdnow", measure),
    }
    monkeypatch.setattr(bench, "PUBLIC_SETS", sets)
    told: list[str] = []
    rows = bench_models(ModelsPlan(tmp_path, [3, 4], only=("cdnow",)), tell=told.append)
    assert [(row.case, row.ours) for row in rows] == [(tmp_path.name, 2.0)]
    assert told == ["measuring cdnow"]


def test_unknown_set_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"telko; there are telco.*world_"):
        ModelsPlan(tmp_path, [0], only=("telko",))
    assert not set(PUBLIC_SETS) & set(WORLDS)


def test_speed_says_overhead_seconds_and_memory() -> None:
    rows = {row.metric: row for row in bench_speed(1_500, seed=1)}
    assert set(rows) == {"overhead", "seconds_one", "seconds_all", "peak_gib"}
    assert rows["overhead"].ours == pytest.approx(rows["seconds_one"].ratio)
    assert rows["seconds_all"].ours > rows["seconds_one"].ours
    assert 0 < rows["peak_gib"].ours < 16
    assert all(row.case == "training_1500" for row in rows.values())
