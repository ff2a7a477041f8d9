"""The catalogue of features: what each one is, written from its declaration.

`docs/features.md` holds it between two markers; `renew_catalogue` writes it anew.
"""

from collections.abc import Iterable

from features.declarations import Combination, Derived, Feature, FeatureSet
from features.errors import BadInputError

BEGIN = "<!-- catalogue: written by features.catalogue, do not edit -->"
END = "<!-- end of catalogue -->"


def describe_features(features: FeatureSet) -> str:
    """One set as Markdown: a heading, its digest, and a table with a row per feature."""
    lines = [
        f"### {features.name}",
        "",
        f"{len(features.names)} features, digest `{features.digest}`.",
        "",
        "| feature | unit | what it is | computed as | null means |",
        "|---|---|---|---|---|",
    ]
    for f in features.features:
        computed = _describe_plain(f) if isinstance(f, Feature) else _describe_derived(f)
        lines.append(f"| `{f.name}` | {f.unit} | {f.description} | {computed} | {f.null_means} |")
    return "\n".join(lines) + "\n"


def renew_catalogue(page: str, *, sets: Iterable[FeatureSet]) -> str:
    """The page with everything between the two markers written anew.

    Raises:
        BadInputError: A marker is missing.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BadInputError(f"the page needs the lines {BEGIN!r} and {END!r}, in this order")
    catalogue = "\n".join(describe_features(features) for features in sets)
    return f"{head}{BEGIN}\n\n{catalogue}\n{END}{tail}"


def _describe_plain(feature: Feature) -> str:
    column = f".{feature.value}" if feature.value else ""
    parts = [f"{feature.aggregate} of {feature.table}{column}"]
    if feature.where:
        parts.append("where " + " and ".join(map(str, feature.where)))
    if feature.window_days is not None:
        parts.append(f"{feature.window_days} days")
    if feature.ends_days_ago:
        parts.append(f"up to {feature.ends_days_ago} days ago")
    return ", ".join(parts)


def _describe_derived(derived: Derived) -> str:
    sign = "/" if derived.combination is Combination.RATIO else "-"
    scale = "" if derived.scale == 1.0 else f"{derived.scale:g} x "
    return f"{scale}`{derived.left}` {sign} `{derived.right}`"
