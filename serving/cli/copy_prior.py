"""The command that learns from a company's own tests what to expect of new variants."""

from pathlib import Path
from typing import Annotated

import typer

from serving.cli.data import AsOfOption, DataOption, read_as_of, require_file_place
from serving.cli.output import JsonOption, progress, show, show_json
from serving.faults import EXIT_REFUSED
from serving.home import claim_home
from serving.settings import read_settings


def learn_prior(
    data: DataOption,
    out: Annotated[
        Path, typer.Option("--out", help="JSON file to write.", callback=require_file_place)
    ],
    as_of: AsOfOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of how tests are left out to judge it.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Learn from finished tests of wordings what to expect of new ones.

    Nothing uses the file until it is named (`--prior`). The exit status is 1, and nothing is
    written, where past tests foretell nothing.
    """
    # Here, so that the other commands about copy need not wait for scikit-learn.
    from serving.copywriter.own_tests import read_own_tests
    from training.variant_prior.fit import train_variant_prior
    from training.variant_prior.prior import VariantPrior

    tables, moment = read_as_of(data, as_of)
    settings = read_settings()
    claim_home(settings.home, tables)
    with progress("learning from finished tests"):
        tests = read_own_tests(settings, tables, as_of=moment)
        learned = train_variant_prior(tests, seed=seed)
    if not isinstance(learned, VariantPrior):
        if as_json:
            show_json({"learned": False, "n_tests": tests.n_tests, "reason": learned.reason})
        else:
            show(f"not learned: {learned.reason}")
        raise typer.Exit(EXIT_REFUSED)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(learned.to_json(), encoding="utf-8")
    skill = learned.skill
    pairs = skill.pairs_ranked
    if as_json:
        show_json(
            {
                "learned": True,
                "out": str(out),
                "languages": learned.languages,
                "n_tests": skill.n_tests,
                "n_texts": skill.n_texts,
                "pairs_ranked": [pairs.value, pairs.low, pairs.high],
                "explained": skill.explained,
            }
        )
        return
    show(
        f"{out}: learned from {skill.n_texts} wordings in {skill.n_tests} tests "
        f"({', '.join(learned.languages)})."
    )
    show(
        f"Of two wordings in tests left out it ranked the better one first in "
        f"{pairs.value:.1%} [{pairs.low:.1%}, {pairs.high:.1%}], chance 50 %; it tells "
        f"{skill.explained:.0%} of how far siblings differ."
    )
