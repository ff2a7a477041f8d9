"""What makes the tests cheap; pytest loads it before anything else, as pyproject.toml says."""

import gc
import os

# Must be said before NumPy is imported, here and in every process that a test starts. Matrices are
# small and each core has tests of its own: more threads would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """Spare what stays to the end, modules and tests, from being looked through again and again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let it go as it would have gone."""
    gc.unfreeze()
