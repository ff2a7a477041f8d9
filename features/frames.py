"""What a frame of features must look like, from their declarations."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.declarations import FeatureSet
from features.errors import BadInputError
from features.schemas import pa


def feature_schema(features: FeatureSet) -> pa.DataFrameSchema:
    """customer_id, as_of and one float64 column per feature, in order and no others.

    NaN is null, as each feature's `null_means` says; a number is finite.
    """
    finite = pa.Check(lambda numbers: ~np.isinf(numbers), name="finite")
    numbers = {name: pa.Column("float64", finite, nullable=True) for name in features.names}
    spine = {"customer_id": pa.Column("str"), "as_of": pa.Column("datetime64[us, UTC]")}
    return pa.DataFrameSchema({**spine, **numbers}, strict=True, ordered=True)


def take_matrix(frame: pd.DataFrame, *, features: FeatureSet) -> npt.NDArray[np.float64]:
    """The numbers as models read them, shape (rows, features); NaN is null.

    Raises:
        BadInputError: The frame is not one of these features; everything wrong is named.
    """
    try:
        feature_schema(features).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        wrong = error.failure_cases[["column", "check", "failure_case"]].drop_duplicates()
        cases = "; ".join(" ".join(map(str, row)) for row in wrong.head(9).itertuples(index=False))
        raise BadInputError(f"frame of features {features.name}: {cases}") from error
    return frame[list(features.names)].to_numpy(dtype=np.float64)
