"""The Upworthy Research Archive's exploratory set: headline tests with impressions and clicks.

Matias et al., Scientific Data 2021. The randomisation of tests from 25 June 2013 to 10 January 2014
was faulty (the archive's own notice of June 2024), so those weeks are left out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import BadInputError, SourceUnreadableError
from training.measures import Integers
from training.variant_prior.finished import FinishedTests

_FILE = "upworthy_exploratory_clean.parquet"
_COLUMNS = ["clickability_test_id", "headline", "impressions", "clicks", "test_week"]
_FAULTY_WEEKS = (201326, 201402)
_LANGUAGE = "en"


@dataclass(frozen=True)
class HeadlineTests:
    """Tests with their time.

    Attributes:
        tests: Headlines that competed. The same headline with other pictures is one wording.
        weeks: Year and week of each headline's test, (n,), such as 201443.
    """

    tests: FinishedTests
    weeks: Integers

    def split(self, *, share_late: float) -> tuple[FinishedTests, FinishedTests]:
        """Tests of the earlier weeks, and about that share of all tests, of the latest weeks."""
        each = pd.Series(self.weeks).groupby(self.tests.position).first().to_numpy()
        border = np.quantile(each, 1.0 - share_late)
        is_late = self.weeks >= border
        if is_late.all() or not is_late.any():
            raise BadInputError(f"headline tests of {len(set(each))} weeks can't be split by time")
        return self.tests.take(~is_late), self.tests.take(is_late)


def read_headline_tests(folder: Path) -> HeadlineTests:
    """The tests of two headlines or more, in order of their names.

    Raises:
        SourceUnreadableError: The file is not there, or is another one.
    """
    path = folder / _FILE
    if not path.exists():
        path = folder / "upworthy_headlines" / _FILE
    try:
        rows = pd.read_parquet(path, columns=_COLUMNS)
    except (OSError, ValueError, KeyError) as fault:
        raise SourceUnreadableError(
            f"{path}: expected the Upworthy archive's exploratory set with {_COLUMNS}: {fault}"
        ) from fault
    first_week = rows.groupby("clickability_test_id")["test_week"].transform("min")
    rows = rows[~first_week.between(*_FAULTY_WEEKS)]
    tests = FinishedTests.collect(
        rows["clickability_test_id"].tolist(),
        texts=rows["headline"].tolist(),
        languages=[_LANGUAGE] * len(rows),
        n_shown=rows["impressions"].to_numpy(dtype=np.int64),
        n_clicked=rows["clicks"].to_numpy(dtype=np.int64),
    )
    week_of = rows.groupby("clickability_test_id")["test_week"].min()
    names = [str(test).removesuffix(f"|{_LANGUAGE}") for test in tests.tests]
    return HeadlineTests(tests, week_of.loc[names].to_numpy(dtype=np.int64))
