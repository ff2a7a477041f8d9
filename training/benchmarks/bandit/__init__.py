"""Bandits on streams whose truth is known."""
