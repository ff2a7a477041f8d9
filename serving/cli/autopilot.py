"""Commands of the autopilot, each with the modules that it needs and no others.

Whoever stops the autopilot must not wait for the libraries of a replay.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

_MODULES: Final[Mapping[str, str]] = {
    "stop": "switches",
    "resume": "switches",
    "incidents": "autopilot_show",
    "show": "autopilot_show",
    "approve": "autopilot_words",
    "veto": "autopilot_words",
    "answer": "autopilot_words",
    "replies": "autopilot_replies",
    "confirm-cause": "autopilot_words",
    "close": "autopilot_words",
    "prepare": "inbound",
    "label": "inbound",
    "messages": "inbound",
    "forget": "inbound",
    "replay": "replay",
}
"""Where each command is: in the `group` of a module of this package."""


class _Commands(TyperGroup):
    """Imports a command's module when the command is asked for; `--help` asks for all."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002  # the signature is typer's
        """Names, in the order in which they are listed."""
        return list(_MODULES)

    def get_command(
        self,
        ctx: object,  # noqa: ARG002  # the signature is typer's
        cmd_name: str,
    ) -> TyperCommand | None:
        """The command of that name; None where there is none."""
        if cmd_name not in _MODULES:
            return None
        module = import_module(f"serving.cli.{_MODULES[cmd_name]}")
        found = get_group(module.group).commands[cmd_name]
        if not isinstance(found, TyperCommand):
            raise TypeError(f"{cmd_name}: expected a command, got {type(found).__name__}")
        return found


autopilot = typer.Typer(
    cls=_Commands,
    help="Complaints watched: bursts are seen, told and acted on within limits.",
    no_args_is_help=True,
)


@autopilot.callback()
def _group() -> None:
    """Complaints watched: bursts are seen, told and acted on within limits."""
