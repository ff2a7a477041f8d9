"""The words of a message: a library of variants, and their rendering with the facts of a case.

`library` reads and checks the texts, `render` fills one. How they are organised, and how to add
a variant or a language: docs/copy.md.
"""
