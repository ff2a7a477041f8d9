"""From the log of messages and outcomes to what the bandit knows: nothing lost, nothing twice."""
