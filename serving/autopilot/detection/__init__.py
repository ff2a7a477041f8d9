"""Bursts of complaints: what is usual, what is not, and how often chance looks like it."""
