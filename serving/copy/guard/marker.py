"""The line that tells readers a machine helped to write a text."""

from features.errors import BadInputError
from serving.copy.guard.lexicon import default_lexicons


def ai_marker(language: str) -> str:
    """The line, in a language; it is data (`lexicons/<language>.yaml`).

    Raises:
        BadInputError: If there is no lexicon of the language.

    >>> ai_marker("en")
    'Written with the help of AI.'
    """
    lexicons = default_lexicons()
    if language not in lexicons:
        known = ", ".join(sorted(lexicons))
        raise BadInputError(f"language {language!r}: no marker is written in it, only in {known}")
    return lexicons[language].data.ai_marker
