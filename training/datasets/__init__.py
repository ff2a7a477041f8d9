"""Labelled rows in time: what was known at a moment, and what came of it afterwards."""
