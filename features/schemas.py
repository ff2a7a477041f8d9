"""The door to pandera, which tries to import PySpark's pandas wherever PySpark is installed.

That wrapper cannot be imported beside pandas 3: each try would cost a second and a warning and then
fail. Here it fails at once, in silence. PySpark itself, its SQL and its frames, is not concerned.
"""

import sys

sys.modules.setdefault("pyspark.pandas", None)  # type: ignore[arg-type]

import pandera.pandas as pa  # noqa: E402

__all__ = ["pa"]
