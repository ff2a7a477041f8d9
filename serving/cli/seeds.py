"""The option of whatever draws at random."""

from typing import Annotated

import typer

SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of everything random.")]
