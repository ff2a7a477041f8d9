"""The truth about wordings: how well each suits the customers of a segment on the mean."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from training.world.life.realm import Realm
from training.world.mail.response import bound_appeal, wordings_of
from training.world.people.places import SEGMENTS


def mean_appeals(realm: Realm, variants: Sequence[str], *, season: int = 0) -> pd.DataFrame:
    """Factor of what a message achieves, 1 for the average wording; segments x variants.

    Of the segments that tables show. Customers' own taste, which nothing shows, is averaged over.
    """
    seasons = np.full(len(variants), season, dtype=np.int64)
    points = wordings_of(pd.Series(variants, dtype="str"), season=seasons, seed=realm.luck.seed)
    liking = realm.people.taste.wording[season]
    factor = bound_appeal(1.0 + points[:, 0] + liking @ points[:, 1:].T)
    shown = realm.people.identity.shown_segment
    appeals = pd.DataFrame(factor, columns=list(variants))[shown >= 0]
    return appeals.groupby(np.array(SEGMENTS, dtype=object)[shown[shown >= 0]]).mean()
