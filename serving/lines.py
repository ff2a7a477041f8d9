"""Texts that others wrote, made fit to stand in a line of ours."""


def put_on_one_line(text: str) -> str:
    r"""Text without line breaks and control characters.

    >>> put_on_one_line("Hi\r\nBcc: all@example.com\x00")
    'Hi Bcc: all@example.com'
    """
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())
