"""Playbooks in a world that knows what each call, training and offer is truly worth."""
