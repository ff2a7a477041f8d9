"""What other policies would have earned, from the decisions that were kept and what came."""
