"""Print the calibration of a world: `python -m training.world --customers 4000 --days 90`."""

import argparse
import sys
from dataclasses import fields

import pandas as pd

from training.world.calibration import calibrate
from training.world.scenario import SCENARIOS, scenario_named
from training.world.simulated import SimulatedWorld


def main() -> None:
    """Simulate, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m training.world", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--customers", type=int, default=4_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="calm")
    options = parser.parse_args()
    world = SimulatedWorld(
        seed=options.seed,
        n_customers=options.customers,
        days=options.days,
        scenario=scenario_named(options.scenario),
    )
    found = calibrate(world, days=options.days)
    with pd.option_context("display.width", 120, "display.float_format", "{:.3f}".format):
        for part in fields(found):
            sys.stdout.write(f"\n{part.name}\n{getattr(found, part.name).to_string()}\n")


if __name__ == "__main__":
    main()
