"""The console: pages on which people look at what would be sent, and say yes or no.

`app` is the web application, `run` starts it on this machine. Today it holds the review of variants
(docs/review.md). Everything it shows comes from its own server: no outside asset, no framework.
"""
