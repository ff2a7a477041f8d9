"""Decisions in columns: what many records hold, in arrays; a record is made when it is read."""
