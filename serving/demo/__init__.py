"""The demonstration: the whole loop once, on real and on simulated data."""
