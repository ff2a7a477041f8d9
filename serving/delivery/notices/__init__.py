"""Notices: to whom they go, and on which ways."""
