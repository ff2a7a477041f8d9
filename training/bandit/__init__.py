"""Learning which variant of a message works, with the probability of every choice known."""
