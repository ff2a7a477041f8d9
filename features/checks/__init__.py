"""Checks of tables against their contracts: one run names everything that is wrong."""

from features.checks.check import Checked, check_tables, find_violations, require_valid
from features.checks.conform import Conformed, conform_tables
from features.checks.rules import Rule
from features.checks.streamed import FilesChecked, PartsOfTable, check_files
from features.checks.violations import Note, Violation

__all__ = [
    "Checked",
    "Conformed",
    "FilesChecked",
    "Note",
    "PartsOfTable",
    "Rule",
    "Violation",
    "check_files",
    "check_tables",
    "conform_tables",
    "find_violations",
    "require_valid",
]
