"""Trees from rows on disk are the trees from the same rows in memory."""

from pathlib import Path

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import BadInputError
from training.measures import Bools, Floats
from training.out_of_memory import RowsOnDisk, open_dataset

NAMES = ("age", "visits", "spent", "gap")
PARAMS: dict[str, str | int | float | bool] = {
    "objective": "binary",
    "num_leaves": 15,
    "seed": 1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


def _draw(n: int) -> tuple[Floats, Bools]:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, len(NAMES)))
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, np.nan_to_num(X[:, 0]) + rng.normal(size=n) > 0.3


def _write(X: Floats, labels: Bools, folder: Path) -> None:
    """Two files of several row groups, the last one short."""
    folder.mkdir()
    columns = {name: pa.array(X[:, n], from_pandas=True) for n, name in enumerate(NAMES)}
    table = pa.table({"other": ["x"] * len(X), "lost": labels, **columns})
    pq.write_table(table.slice(0, 4_000), folder / "a.parquet", row_group_size=1_500)
    pq.write_table(table.slice(4_000), folder / "b.parquet", row_group_size=1_500)


def test_open_dataset_gives_the_model_of_a_matrix_in_memory(tmp_path: Path) -> None:
    X, labels = _draw(9_000)
    _write(X, labels, tmp_path / "rows")

    rows = open_dataset(RowsOnDisk(tmp_path / "rows", NAMES, "lost"), params=PARAMS)
    ours = lightgbm.train(PARAMS, rows, num_boost_round=30)
    matrix = lightgbm.Dataset(X, label=labels, feature_name=list(NAMES), params=PARAMS)
    theirs = lightgbm.train(PARAMS, matrix, num_boost_round=30)

    assert ours.num_trees() == 30
    assert ours.model_to_string() == theirs.model_to_string()


def test_open_dataset_names_every_missing_column(tmp_path: Path) -> None:
    X, labels = _draw(100)
    _write(X, labels, tmp_path / "rows")

    with pytest.raises(BadInputError, match="lacks height, weight"):
        open_dataset(
            RowsOnDisk(tmp_path / "rows", ("age", "height", "weight"), "lost"), params=PARAMS
        )


def test_open_dataset_refuses_rows_without_a_label(tmp_path: Path) -> None:
    table = pa.table({"age": [1.0, 2.0], "lost": pa.array([True, None])})
    pq.write_table(table, tmp_path / "rows.parquet")

    with pytest.raises(BadInputError, match="lost is null in 1 rows"):
        open_dataset(RowsOnDisk(tmp_path / "rows.parquet", ("age",), "lost"), params=PARAMS)
