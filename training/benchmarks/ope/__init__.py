"""Off-policy evaluation on public logs and on simulated ones whose truth is known."""
