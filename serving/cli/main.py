"""Assembling the commands, and turning our errors into messages and exit statuses."""

import os
import sys

# Before anything imports the libraries that would phone home.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import typer

from features.errors import OpportuneError
from serving.cli.bench import bench
from serving.cli.data import check, features, import_data, simulate, triggers
from serving.cli.decisions import decide
from serving.cli.demo import demo
from serving.cli.models import promote, train
from serving.cli.serve import serve
from serving.faults import status_of

app = typer.Typer(
    name="opportune",
    help="Decides whom to message, when, on which channel and with which words.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo)
app.command("simulate")(simulate)
app.command("import")(import_data)
app.command("check")(check)
app.command("features")(features)
app.command("triggers")(triggers)
app.command("train")(train)
app.command("promote")(promote)
app.command("decide")(decide)
app.command("serve")(serve)
app.command("bench")(bench)


def main() -> None:
    """Run the command line; our errors end in a message and their own exit status."""
    try:
        app()
    except OpportuneError as error:
        print(f"opportune: {error}", file=sys.stderr)  # noqa: T201  # the edge
        sys.exit(status_of(error).exit_status)
