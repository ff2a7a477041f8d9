"""Does a model of past headline tests rank new headlines, and does it save the bandit anything?"""
