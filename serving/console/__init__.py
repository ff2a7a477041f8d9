"""The console: pages on which people see what goes on, and say yes or no.

`app` is the web application, with pages by subject beside it; `mounted` puts it into the service
(docs/console.md), `run` starts the review of variants alone (docs/review.md). Everything it shows
comes from its own server: no outside asset, no framework.
"""
