"""The catalogue of features: what each one is, written from its declaration.

`docs/features.md` holds it between two markers; `renew_catalogue` writes it anew.
"""

from collections.abc import Iterable

from features.declarations import Combination, Derived, Feature, FeatureSet
from features.errors import BadInputError
from features.histograms import HourHistogram, HourSource

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


def describe_histogram(histogram: HourHistogram) -> str:
    """One histogram as Markdown: a heading and what it counts."""
    sources = ", and ".join(_describe_source(source) for source in histogram.sources)
    half_life = histogram.half_life_days
    weight = "1" if half_life is None else f"half as much with every era of {half_life} days"
    return (
        f"### {histogram.name}\n\n168 hours of the customer's own week: {histogram.description} "
        f"Counts {sources}; a row weighs {weight}.\n"
    )


def renew_catalogue(
    page: str, *, sets: Iterable[FeatureSet], histograms: Iterable[HourHistogram] = ()
) -> str:
    """The page with everything between the two markers written anew.

    Raises:
        BadInputError: A marker is missing.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise BadInputError(f"the page needs the lines {BEGIN!r} and {END!r}, in this order")
    parts = [*map(describe_features, sets), *map(describe_histogram, histograms)]
    catalogue = "\n".join(parts)
    return f"{head}{BEGIN}\n\n{catalogue}\n{END}{tail}"


def _describe_plain(feature: Feature) -> str:
    column = f".{feature.value}" if feature.value else ""
    parts = [f"{feature.aggregate} of {feature.table}{column}"]
    if feature.where:
        parts.append("where " + " and ".join(map(str, feature.where)))
    if feature.bucket_days is not None:
        parts.append(f"{feature.n_buckets} times {feature.bucket_days} whole days")
    elif feature.window_days is not None:
        parts.append(f"{feature.window_days} days")
    if feature.ends_days_ago:
        parts.append(f"up to {feature.ends_days_ago} days ago")
    return ", ".join(parts)


def _describe_derived(derived: Derived) -> str:
    sign = "-" if derived.combination is Combination.DIFFERENCE else "/"
    scale = "" if derived.scale == 1.0 else f"{derived.scale:g} x "
    floor = "" if derived.floor is None else f", which counts as {derived.floor:g} or more"
    most = ", at most 1" if derived.combination is Combination.SHARE else ""
    return f"{scale}`{derived.left}` {sign} `{derived.right}`{floor}{most}"


def _describe_source(source: HourSource) -> str:
    where = " and ".join(map(str, source.where))
    return f"{source.table} where {where}" if where else source.table
