"""Tables from where companies keep them, and public data sets in their form."""

from features.sources.adapted import Adapted
from features.sources.complete_journey import read_complete_journey
from features.sources.files import (
    check_table_files,
    fetch_to_files,
    find_table_files,
    open_table_files,
)
from features.sources.folder import write_tables
from features.sources.location import Location, locate
from features.sources.olist import read_olist
from features.sources.protocol import Source
from features.sources.source import check_source, open_source, read_tables
from features.sources.telco import read_telco

__all__ = [
    "Adapted",
    "Location",
    "Source",
    "check_source",
    "check_table_files",
    "fetch_to_files",
    "find_table_files",
    "locate",
    "open_source",
    "open_table_files",
    "read_complete_journey",
    "read_olist",
    "read_tables",
    "read_telco",
    "write_tables",
]
