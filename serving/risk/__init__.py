"""Churn risk of customers: scores, tier, reasons in words, and what to do about it.

`records` is what is asked and answered, `answer` makes the answer, `reasons` groups what the
model's features add into factors, `words` says it in a language.
"""
