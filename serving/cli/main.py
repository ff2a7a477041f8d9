"""Assembling the commands, and turning our errors into messages and exit statuses.

A command's module is imported when the command is asked for: `opportune check` need not wait for
MLflow, nor `--help` for anything.
"""

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib import import_module

# Before anything imports the libraries that would phone home.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

import typer

from features.errors import OpportuneError
from serving.faults import status_of


@dataclass(frozen=True)
class _Entry:
    """Where a command is, and its line in the list of commands."""

    module: str
    function: str
    line: str

    def load(self) -> Callable[..., None] | typer.Typer:
        """The command itself, or a group of commands."""
        module = import_module(f"serving.cli.{self.module}")
        command: Callable[..., None] | typer.Typer = getattr(module, self.function)
        return command


_COMMANDS: Mapping[str, _Entry] = {
    "demo": _Entry("demo", "demo", "The whole loop on real and simulated data, with a report."),
    "simulate": _Entry("data", "simulate", "Write the tables of a simulated world."),
    "import": _Entry("data", "import_data", "Turn somebody else's data into tables of ours."),
    "check": _Entry("data", "check", "Check tables against their contracts."),
    "features": _Entry("features", "features", "Build every customer's features as of a moment."),
    "triggers": _Entry("features", "triggers", "Find who should hear what, as of a moment."),
    "score": _Entry("score", "score", "Score a file of features with the served models."),
    "train": _Entry("models", "train", "Fit, judge and register models."),
    "promote": _Entry("models", "promote", "Send a model or a policy through the gate."),
    "evaluate-policy": _Entry(
        "evaluate", "evaluate_policy", "What other policies would have earned, from a log."
    ),
    "rollback": _Entry("models", "rollback", "Let the champion or the policy before run again."),
    "monitor": _Entry("monitor", "monitor", "How the served models do; 1 on an alarm."),
    "retrain": _Entry(
        "monitor", "retrain", "Once a month: train what is due, let the gate decide."
    ),
    "report": _Entry("report", "report", "Reports for people, as HTML pages."),
    "risk": _Entry("risk", "risk", "Whether your risk rules help or harm."),
    "decide": _Entry("decisions", "decide", "Decide in batch about everybody with a trigger."),
    "rehearse": _Entry(
        "rehearse", "rehearse", "Policies side by side in a loop against a known truth."
    ),
    "copy": _Entry("copy", "copy", "Variants: drafted, checked, reviewed, approved, retired."),
    "serve": _Entry("serve", "serve", "Serve decisions over HTTP."),
    "console": _Entry("console", "console", "Who may come into the console at /console."),
    "learn": _Entry("learn", "learn", "Turn outcomes into what the words are chosen by."),
    "act": _Entry("act", "act", "Run playbooks and the autopilot; one process, until interrupted."),
    "deliver": _Entry("deliver", "deliver", "Hand over messages that are due; files by default."),
    "incident": _Entry("incident", "incident", "Pause marketing where something is wrong."),
    "cancel": _Entry("incident", "cancel", "Cancel planned messages; budgets get theirs back."),
    "online": _Entry("online", "online", "States and facts of the running service."),
    "parity": _Entry("online", "parity", "Compare features served with those of the tables."),
    "autopilot": _Entry(
        "autopilot", "autopilot", "Bursts of complaints: learned, watched, answered."
    ),
    "playbooks": _Entry(
        "playbooks", "playbooks", "Customers who may be lost: cases, tasks and offers."
    ),
    "audit": _Entry("audit", "audit", "The log: whether it is whole, and what it tells."),
    "bench": _Entry("bench", "bench", "Measure ours beside a reference."),
}


def build_app(loaded: Collection[str]) -> typer.Typer:
    """The command line; commands that are not in `loaded` are listed, but cannot be run."""
    app = typer.Typer(
        name="opportune",
        help="Decides whom to message, when, on which channel and with which words.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for name, entry in _COMMANDS.items():
        command = entry.load() if name in loaded else _list_only
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name, help=None if name in loaded else entry.line)(command)
    return app


def main() -> None:
    """Run the command line; our errors end in a message and their own exit status."""
    try:
        build_app(sys.argv[1:2])()
    except OpportuneError as error:
        print(f"opportune: {error}", file=sys.stderr)  # noqa: T201  # the edge
        if "--json" in sys.argv:
            answer = {"error": {"code": error.code, "message": str(error)}}
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        sys.exit(status_of(error).exit_status)


def _list_only() -> None:
    """Stands for a command that was not asked for."""
