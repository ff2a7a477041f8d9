"""How well anybody could foretell who is lost: the best that facts allow, for scoring alone.

The world's own score of a customer, P(lost within 30 days | mood, temper), knows what no table
shows. What a table shows is less, and how much less is worked out here: by Bayes' rule, from the
very probabilities that the world draws from.
"""

from training.world.foresight.foresee import foresee_lost

__all__ = ["foresee_lost"]
