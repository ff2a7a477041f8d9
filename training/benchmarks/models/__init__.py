"""Benchmarks of models on public data and in the simulated world."""
