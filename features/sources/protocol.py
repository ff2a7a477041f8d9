"""What a source is."""

from collections.abc import Iterator
from typing import Protocol

import pandas as pd


class Source(Protocol):
    """A place that holds tables; any class with these members will do.

    Attributes:
        name: How the place is called in messages.
    """

    name: str

    def table_names(self) -> tuple[str, ...]:
        """What it holds, tables of ours or not."""
        ...

    def column_names(self, table: str) -> tuple[str, ...]:
        """The columns of one of those tables, as they are."""
        ...

    def read(self, table: str, *, as_text: bool = False) -> pd.DataFrame:
        """One of those tables, as it is: unchecked columns and dtypes.

        Args:
            table: Which.
            as_text: Cells of text files stay text, whatever a contract says of their column.
        """
        ...

    def read_batches(self, table: str, *, as_text: bool = False) -> Iterator[pd.DataFrame]:
        """The same in parts, at least one, so that it need not fit into memory."""
        ...
