"""Churn playbooks: what is done about customers who may be lost, step by step, and what for."""
