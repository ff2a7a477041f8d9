"""What became of a model after it was promoted: drift, matured labels, delays, missing data."""
