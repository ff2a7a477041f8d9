"""Why customers leave: a chain of moods, stepped once a day, with its expectations in closed form.

content -> dissatisfied -> gone, with recovery, and a small chance to leave while content. Turning
dissatisfied comes with what the tables show (see `accounts`): a payment in dispute, an unsolved
ticket, low answers to surveys; from then on usage declines. Messages change the mood alone: one
that irritates turns a content customer dissatisfied, one that saves does the reverse.
"""

from typing import Final

import numpy as np

from training.world.clock import Floats, Ints
from training.world.people.population import Population, Temper

ABSENT: Final = -1  # has not signed up yet
CONTENT: Final = 0
DISSATISFIED: Final = 1
GONE: Final = 2

HORIZON_DAYS: Final = 30


def step_moods(mood: Ints, *, temper: Temper, luck: Floats) -> Ints:
    """The moods after one day, given one uniform number per customer."""
    content = mood == CONTENT
    dissatisfied = mood == DISSATISFIED
    leaves = (content & (luck < temper.p_leave)) | (dissatisfied & (luck < temper.p_lose))
    turns = content & ~leaves & (luck < temper.p_leave + temper.p_turn)
    recovers = dissatisfied & (luck > 1.0 - temper.p_recover)
    return np.select([leaves, turns, recovers], [GONE, DISSATISFIED, CONTENT], default=mood)


def p_lost_ahead(people: Population, *, days: int = HORIZON_DAYS) -> Floats:
    """P(gone after so many steps) by customer and present mood, (n, 2): content, dissatisfied."""
    temper = people.temper
    stays = np.ones((people.n, 2))
    for _ in range(days):
        content, dissatisfied = stays.T
        stays = np.column_stack(
            [
                (1.0 - temper.p_leave - temper.p_turn) * content + temper.p_turn * dissatisfied,
                temper.p_recover * content
                + (1.0 - temper.p_lose - temper.p_recover) * dissatisfied,
            ]
        )
    return 1.0 - stays


def moods_ahead(mood: Ints, *, customer: Ints, steps: Ints, temper: Temper) -> Floats:
    """P(content), P(dissatisfied) after `steps` days, (n, 2), of customers in these moods."""
    turn, leave = temper.p_turn[customer], temper.p_leave[customer]
    lose, recover = temper.p_lose[customer], temper.p_recover[customer]
    content = (mood == CONTENT).astype(np.float64)
    dissatisfied = (mood == DISSATISFIED).astype(np.float64)
    for step in range(int(steps.max(initial=0))):
        ahead = steps > step
        next_content = (1.0 - leave - turn) * content + recover * dissatisfied
        next_dissatisfied = turn * content + (1.0 - lose - recover) * dissatisfied
        content = np.where(ahead, next_content, content)
        dissatisfied = np.where(ahead, next_dissatisfied, dissatisfied)
    return np.column_stack([content, dissatisfied])
