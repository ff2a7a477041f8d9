"""Who can come and help: a shortlist, and why others are not on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import pandas as pd

from serving.autopilot.acting.settings import VendorRules


@dataclass(frozen=True, slots=True)
class Vendor:
    """A row of the table `vendors`; what a company does not know is None.

    Attributes:
        rating: Mean of its reviews.
        eta_minutes: As it was known when the table was written: the vendor is asked anew.
        whatsapp: Whether it can be reached there.
        rate_cents: What a visit usually costs.
        n_reviews: How many.
        distance_km: From the branch.
        phone_verified: Whether somebody tried the number.
    """

    vendor_id: str
    kind: str
    name: str
    region: str
    rating: float
    eta_minutes: float
    whatsapp: bool
    rate_cents: int
    n_reviews: int | None = None
    distance_km: float | None = None
    phone_verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A vendor that may be asked.

    Attributes:
        shrunk_rating: Its rating, drawn to the mean of its kind by the reviews that it lacks.
    """

    vendor: Vendor
    shrunk_rating: float


@dataclass(frozen=True, slots=True)
class Passed:
    """A vendor that is not asked, and why."""

    vendor_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Shortlist:
    """Whom to ask, the best first, and who was passed over."""

    ranked: tuple[Ranked, ...]
    passed: tuple[Passed, ...]


def read_vendors(frame: pd.DataFrame) -> tuple[Vendor, ...]:
    """Vendors of a conformed table, with the optional columns that it has."""
    return tuple(
        Vendor(
            vendor_id=str(row["vendor_id"]),
            kind=str(row["kind"]),
            name=str(row["name"]),
            region=str(row["region"]),
            rating=float(row["rating"]),
            eta_minutes=float(row["eta_minutes"]),
            whatsapp=bool(row["whatsapp"]),
            rate_cents=int(row["rate_cents"]),
            n_reviews=None if (n := _number(row.get("n_reviews"))) is None else int(n),
            distance_km=_number(row.get("distance_km")),
            phone_verified=_flag(row.get("phone_verified")),
        )
        for row in frame.to_dict("records")
    )


def shortlist(
    vendors: Sequence[Vendor], *, kinds: Sequence[str], region: str | None, rules: VendorRules
) -> Shortlist:
    """Vendors of these kinds that can be asked, the best first.

    A rating is shrunk to the mean of its kind, weighted by reviews: `(n r + k m) / (n + k)`, the
    posterior mean of a normal model with `k` reviews' worth of prior (the "weighted rating" of film
    lists), so that five stars of four reviews do not beat 4.7 of four hundred. Ratings that are
    equal to a tenth are equal: then the time to come counts, then the price.

    Args:
        vendors: All of them.
        kinds: That can help.
        region: Of the branch; None where nobody knows it: then all are near enough but for those
            whose distance is known to be too long.
        rules: What is asked of them.
    """
    of_kind = [vendor for vendor in vendors if vendor.kind in kinds]
    is_counted = any(vendor.n_reviews is not None for vendor in of_kind)
    ranked: list[Ranked] = []
    passed: list[Passed] = []
    for vendor in of_kind:
        rated = Ranked(vendor, _shrink(vendor, of_kind, prior_reviews=rules.prior_reviews))
        why = _find_fault(rated, region=region, rules=rules, is_counted=is_counted)
        if why is None:
            ranked.append(rated)
        else:
            passed.append(Passed(vendor.vendor_id, why))
    ranked.sort(key=_order)
    return Shortlist(tuple(ranked), tuple(passed))


def _shrink(vendor: Vendor, peers: Sequence[Vendor], *, prior_reviews: float) -> float:
    """The shrunk rating; where nobody counts reviews, all are the mean's."""
    of_kind = [peer for peer in peers if peer.kind == vendor.kind]
    n_all = sum(peer.n_reviews or 0 for peer in of_kind)
    if n_all == 0:
        mean = sum(peer.rating for peer in of_kind) / len(of_kind)
    else:
        mean = sum(peer.rating * (peer.n_reviews or 0) for peer in of_kind) / n_all
    n = vendor.n_reviews or 0
    return (n * vendor.rating + prior_reviews * mean) / (n + prior_reviews)


def _find_fault(
    rated: Ranked, *, region: str | None, rules: VendorRules, is_counted: bool
) -> str | None:
    vendor = rated.vendor
    if not (vendor.whatsapp or vendor.phone_verified):
        return "cannot be reached: no WhatsApp, and no number that was tried"
    if vendor.distance_km is not None and vendor.distance_km > rules.most_km:
        return f"{vendor.distance_km:g} km away, at most {rules.most_km:g}"
    if vendor.distance_km is None and region is not None and vendor.region != region:
        return f"works in {vendor.region}, not in {region}"
    if is_counted and (vendor.n_reviews or 0) < rules.least_reviews:
        return f"{vendor.n_reviews or 0} reviews, at least {rules.least_reviews}"
    if rated.shrunk_rating < rules.least_rating:
        return f"rating {rated.shrunk_rating:.2f} after shrinking, at least {rules.least_rating:g}"
    if vendor.eta_minutes > rules.most_eta_minutes:
        return f"{vendor.eta_minutes:g} minutes to come, at most {rules.most_eta_minutes}"
    if vendor.rate_cents > rules.book_cents:
        return f"costs {vendor.rate_cents / 100:,.2f}, at most {rules.book_cents / 100:,.2f}"
    return None


def _order(rated: Ranked) -> tuple[float, float, int, str]:
    vendor = rated.vendor
    return (-round(rated.shrunk_rating, 1), vendor.eta_minutes, vendor.rate_cents, vendor.vendor_id)


def _number(cell: object) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float) or isnan(cell):
        return None
    return float(cell)


def _flag(cell: object) -> bool | None:
    return cell if isinstance(cell, bool) else None
