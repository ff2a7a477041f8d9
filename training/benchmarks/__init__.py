"""Ours beside a reference, on public data: what `opportune bench` prints."""
