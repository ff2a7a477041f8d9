"""Checks of tables against their contracts: one run names everything that is wrong."""

from features.checks.check import Checked, check_tables, find_violations, require_valid
from features.checks.conform import Conformed, conform_tables
from features.checks.violations import Note, Rule, Violation

__all__ = [
    "Checked",
    "Conformed",
    "Note",
    "Rule",
    "Violation",
    "check_tables",
    "conform_tables",
    "find_violations",
    "require_valid",
]
