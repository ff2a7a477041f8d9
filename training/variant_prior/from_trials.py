"""A company's own finished tests: what its variants earned, from the trials its bandit learned.

Wordings are compared within trigger, channel, language and month of sending. Readers were given to
wordings at random, but a bandit that learns gives more of them to what works and to whom it works
with; within a month that share moves little, and what is left of it makes the better wordings look
a little better or worse than they are.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from training.bandit.rewards import RewardState, Trials
from training.variant_prior.finished import FinishedTests

FEWEST_SENT = 30
"""Sends below which a wording says nothing worth a row."""


def collect_finished_tests(
    trials: Trials, *, words: Mapping[str, Mapping[str, str]]
) -> FinishedTests:
    """Tests of variants whose words are known, of messages whose window has closed.

    Args:
        trials: What was sent and what it earned; a click is whatever their rule calls a success.
        words: By variant and language, with slots as they stand in the text.
    """
    is_success = trials.is_in(RewardState.SUCCESS)
    is_over = trials.is_matured & (is_success | trials.is_in(RewardState.FAILURE))
    sent = pd.DataFrame(
        {
            "trigger": trials.triggers,
            "channel": trials.channels,
            "month": trials.sent_at_us.astype("datetime64[us]").astype("datetime64[M]").astype(str),
            "variant": trials.variants,
            "language": trials.languages,
            "success": is_success,
        }
    )[is_over]
    sent["text"] = [
        words.get(variant, {}).get(language)
        for variant, language in sent[["variant", "language"]].to_numpy()
    ]
    by = ["trigger", "channel", "month", "language", "text"]
    counted = sent.dropna(subset="text").groupby(by, as_index=False)["success"].agg(["size", "sum"])
    counted = counted[counted["size"] >= FEWEST_SENT]
    return FinishedTests.collect(
        [".".join(names) for names in counted[["trigger", "channel", "month"]].to_numpy()],
        texts=counted["text"].tolist(),
        languages=counted["language"].tolist(),
        n_shown=counted["size"].to_numpy(dtype=np.int64),
        n_clicked=counted["sum"].to_numpy(dtype=np.int64),
    )
