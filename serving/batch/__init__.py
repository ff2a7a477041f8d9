"""Scores and decisions for more customers than one process holds: the same code, over files."""
