"""What the steps of a case do."""
