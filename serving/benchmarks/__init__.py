"""Measuring what serves: batch decisions and the HTTP endpoint."""
