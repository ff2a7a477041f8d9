import pytest

from features.errors import BadInputError
from features.tables import Tables
from training.benchmarks.models.complete_journey import bench_churn
from training.benchmarks.rows import BenchRow
from training.measures import MEASURES


def test_bench_shows_every_measure_beside_recency_and_its_paired_gain(shop_tables: Tables) -> None:
    rows = {row.metric: row for row in bench_churn(shop_tables, seed=1)}
    assert set(rows) == {name + suffix for name in MEASURES for suffix in ("", "_gain")}
    auc, gain = rows["auc"], rows["auc_gain"]
    assert gain.ours == pytest.approx(auc.ours - auc.reference)
    assert auc.ratio == pytest.approx(auc.ours / auc.reference)
    assert gain.ratio is None
    for row in rows.values():
        assert row.low is not None
        assert row.high is not None
        assert row.low <= row.high
        assert row.n > 400


def test_bench_refuses_tables_that_nothing_can_be_learned_from(shop_tables: Tables) -> None:
    few = {**shop_tables, "activity": shop_tables["activity"].iloc[:5]}
    with pytest.raises(BadInputError, match="complete_journey"):
        bench_churn(few, seed=1)


def test_ratio_is_ours_over_the_reference() -> None:
    row = BenchRow("case", "auc", 0.9, None, None, 0.75, "recency only", "1", 10)
    assert row.ratio == pytest.approx(1.2)
