"""A company's own finished tests of wordings: what its tables and its store say of messages."""

from contextlib import closing
from datetime import datetime
from pathlib import Path

from features.tables import Tables
from serving.copy.library import default_library
from serving.copywriter.first_belief import words_of_draft, words_of_library
from serving.learner.fold import rule_of
from serving.learner.history import read_history
from serving.learner.reading import read_log
from serving.policy.cases import to_us
from serving.policy.settings import load_policy_settings
from serving.settings import Settings
from serving.store.store import Store
from training.bandit.rewards import RewardLog, judge_messages
from training.variant_prior.finished import FinishedTests
from training.variant_prior.from_trials import collect_finished_tests


def read_own_tests(settings: Settings, tables: Tables, *, as_of: datetime) -> FinishedTests:
    """Finished tests of the tables and, where this home has a store, of what it sent itself.

    Args:
        settings: Where the store and the policy's settings are.
        tables: Conformed tables.
        as_of: Aware moment; nothing that happened at or after it is known.
    """
    rule = rule_of(load_policy_settings(settings.policy_file))
    history = read_history(tables, as_of=as_of, rule=rule)
    words = dict(words_of_library(default_library()))
    log: RewardLog = history
    place = settings.store_place
    if not isinstance(place, Path) or place.exists():
        with closing(Store(place)) as store:
            with store.reading() as session:
                log = read_log(session, history, since_us=0, rule=rule)
            words |= {row.variant_id: words_of_draft(row.draft) for row in store.variants.find()}
    trials = judge_messages(log, rule=rule, as_of_us=to_us(as_of))
    return collect_finished_tests(trials, words=words)
