"""What was approved and does not hold under the settings of a command."""

from collections import Counter
from collections.abc import Mapping

from rich.markup import escape

from serving.cli.output import say


def warn_of_void(void: Mapping[str, str]) -> None:
    """Say what is retired by whatever decides with these settings; it may be the wrong shell's.

    Args:
        void: Reasons by variant, as `WordKeeper.find_void` tells them.
    """
    for reason, n in Counter(void.values()).most_common():
        say(
            f"[yellow]approved texts that do not hold with these settings: {n:,}[/yellow]; "
            f"`opportune serve` and `opportune decide` retire them: {escape(reason)}"
        )
