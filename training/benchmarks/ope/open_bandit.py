"""The small Open Bandit Dataset: a fashion shop's banners, shown at random and by a bandit.

Both were logged in the same week, so that what is estimated from the random log about the bandit
can be held against the bandit's own (Saito et al. 2021). The files are read where they lie.
"""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from features.errors import SourceUnreadableError
from training.measures import Floats, Integers
from training.ope.slates import SlateLog
from training.ope.weighted import WeightedLog, at_positions, weigh

N_POSITIONS = 3
SEED = 12345  # of the published figures
_N_DRAWS = 100_000
_LOT = 10_000


class Campaign(StrEnum):
    """What the banners were about."""

    ALL = "all"
    MEN = "men"
    WOMEN = "women"


@dataclass(frozen=True)
class BannerLog:
    """Banners shown by one policy.

    Attributes:
        items: Which banner, (n,).
        positions: In which of three places, from 0 on, (n,).
        clicks: 1 where it was clicked, (n,).
        p_logged: Probability of the banner at its place, (n,).
        users: What is known of the visitor, as yes or no, (n, d).
        banners: What is known of each banner, (K, 4).
    """

    items: Integers
    positions: Integers
    clicks: Floats
    p_logged: Floats
    users: Floats
    banners: Floats

    @property
    def n(self) -> int:
        """Banners shown."""
        return len(self.items)


def read_banner_log(folder: Path, *, policy: str, campaign: Campaign) -> BannerLog:
    """The log of a policy, `random` or `bts`; SourceUnreadableError where there is none."""
    place = folder / policy / campaign.value
    try:
        log = pd.read_csv(place / f"{campaign.value}.csv.gz", index_col=0)
        banners = pd.read_csv(place / "item_context.csv", index_col=0)
    except (OSError, ValueError) as fault:
        raise SourceUnreadableError(
            f"{place}: not a log of the Open Bandit data: {fault}"
        ) from None
    log = log.sort_values("timestamp")
    users = [name for name in log.columns if name.startswith("user_feature")]
    kinds = [pd.factorize(banners[f"item_feature_{number}"], sort=True)[0] for number in (1, 2, 3)]
    return BannerLog(
        items=log["item_id"].to_numpy(dtype=np.int64),
        positions=pd.factorize(log["position"], sort=True)[0].astype(np.int64),
        clicks=log["click"].to_numpy(dtype=np.float64),
        p_logged=log["propensity_score"].to_numpy(dtype=np.float64),
        users=pd.get_dummies(log[users], drop_first=True).to_numpy(dtype=np.float64),
        banners=np.column_stack([*kinds, banners["item_feature_0"]]).astype(np.float64),
    )


def thompson_slate(folder: Path, *, campaign: Campaign) -> Floats:
    """Probability of each banner at each place under the logged bandit's priors, (K, 3).

    The shop's bandit draws a click rate per banner from its Beta prior and shows the best three;
    how often is counted over 100,000 draws of NumPy's legacy generator, as it was published.
    """
    with (folder / "prior_bts.yaml").open(encoding="utf-8") as file:
        prior = yaml.safe_load(file)[campaign.value]
    alpha, beta = np.array(prior["alpha"]), np.array(prior["beta"])
    rng = np.random.RandomState(SEED)  # the published draws are this generator's
    counts = np.zeros((len(alpha), N_POSITIONS))
    for _ in range(_N_DRAWS // _LOT):
        ranked = np.argsort(rng.beta(alpha, beta, size=(_LOT, len(alpha))), axis=1)[:, ::-1]
        for position in range(N_POSITIONS):
            counts[:, position] += np.bincount(ranked[:, position], minlength=len(alpha))
    return counts / _N_DRAWS


def expect_clicks(log: BannerLog) -> Floats:
    """Click rate of every banner at the row's place, by a model of other rows, (n, K).

    A logistic regression per place, three folds: the published settings.
    """
    n, n_banners = len(log.items), len(log.banners)
    expected = np.zeros((n, n_banners))
    folds = KFold(n_splits=3, shuffle=True, random_state=SEED)
    for train, test in folds.split(log.users):
        for position in range(N_POSITIONS):
            fitted_on = train[log.positions[train] == position]
            asked = test[log.positions[test] == position]
            model = LogisticRegression(max_iter=1000, random_state=SEED)
            model.fit(
                np.column_stack([log.users[fitted_on], log.banners[log.items[fitted_on]]]),
                log.clicks[fitted_on],
            )
            rows = np.repeat(log.users[asked], n_banners, axis=0)
            shown = np.tile(log.banners, (len(asked), 1))
            p = model.predict_proba(np.column_stack([rows, shown]))[:, 1]
            expected[asked] = p.reshape(len(asked), n_banners)
    return expected


def place_banners(log: BannerLog, slate: Floats) -> SlateLog:
    """The random log as slates of three places, for a bandit with these probabilities, (K, 3).

    The data are a sample of banners: which of them were shown together is not known.
    """
    rows = np.arange(log.n).astype(object)
    return SlateLog(
        slates=rows,
        customers=rows,
        places=log.positions,
        rewards=log.clicks,
        alone=slate[log.items, log.positions] / log.p_logged,
        given_above=None,
        is_supported=np.ones(log.n, dtype=bool),
    )


def clicks_by_slate(log: BannerLog) -> float:
    """Clicks on a whole slate, as logged."""
    return sum(float(log.clicks[log.positions == place].mean()) for place in range(N_POSITIONS))


def weigh_banners(log: BannerLog, slate: Floats) -> WeightedLog:
    """The random log, weighted for a bandit with these probabilities by place, (K, 3)."""
    return weigh(
        log.items,
        log.clicks,
        p_logged=log.p_logged,
        p_target=at_positions(slate, log.positions),
        expected=expect_clicks(log),
    )
