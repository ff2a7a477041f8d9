"""Watching what customers write, and acting on it within limits."""
