"""Their tables in our words: a small closed language in YAML, and the source that speaks it."""

from features.sources.mapping.load import read_mapping
from features.sources.mapping.mapped import MappedSource
from features.sources.mapping.model import Mapping

__all__ = ["MappedSource", "Mapping", "read_mapping"]
