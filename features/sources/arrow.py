"""From Arrow to pandas with the dtypes that conformed tables keep."""

import pandas as pd
import pyarrow as pa

_NULLABLE: dict[pa.DataType, pd.api.extensions.ExtensionDtype] = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def frame_from_arrow(table: pa.Table) -> pd.DataFrame:
    """A frame with the columns of an Arrow table.

    Integers and flags become nullable dtypes: pandas' default, floats and objects, would lose
    large integers beside a null. Dates become naive times at midnight. What pandas wrote about
    itself into the file (an index, say) is not followed: columns are columns.
    """
    frame: pd.DataFrame = table.to_pandas(
        types_mapper=_NULLABLE.get, ignore_metadata=True, date_as_object=False
    )
    return frame
