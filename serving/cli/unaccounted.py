"""Money of which nobody knows whether it was paid."""

from serving.cli.output import say


def warn_of_unaccounted(usd: float) -> None:
    """Say what may have been paid beyond what a command tells.

    Args:
        usd: The most that questions without an answer can have cost.
    """
    if usd > 0:
        say(
            f"[yellow]up to {usd:.4f} USD more may have been paid[/yellow]: for questions whose "
            "answers never came"
        )
