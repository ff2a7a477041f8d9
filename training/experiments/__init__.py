"""Experiments on customers: whether what was planned is what happened."""
