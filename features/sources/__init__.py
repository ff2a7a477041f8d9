"""Tables from where companies keep them, and public data sets in their form."""

from features.sources.adapted import Adapted
from features.sources.complete_journey import read_complete_journey
from features.sources.folder import write_tables
from features.sources.source import Source, check_source, open_source, read_tables
from features.sources.telco import read_telco

__all__ = [
    "Adapted",
    "Source",
    "check_source",
    "open_source",
    "read_complete_journey",
    "read_tables",
    "read_telco",
    "write_tables",
]
