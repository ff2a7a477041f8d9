"""Checks of words: what a text may claim, and whether it keeps the rules of its channel."""
