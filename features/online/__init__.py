"""Features of one customer, kept while facts come in and read at once.

`compile_layout` says what is kept, a `CustomerState` takes facts in and gives the numbers that the
SQL gives, `replay` makes the states of all customers from tables.
"""

from features.online.facts import Cell, Fact
from features.online.layout import Layout, compile_layout
from features.online.replay import replay
from features.online.state import CustomerState
from features.online.table_facts import OwnedFact, read_facts, replay_facts

__all__ = [
    "Cell",
    "CustomerState",
    "Fact",
    "Layout",
    "OwnedFact",
    "compile_layout",
    "read_facts",
    "replay",
    "replay_facts",
]
