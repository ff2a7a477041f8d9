"""When a customer is there, and what the hour of sending does to a message.

Three things are learned, each from what can tell it:

- the customer's own week, from presence (`patterns`, `fit`);
- how late messages are read, from the opens of people (`delays`);
- what presence does to a message sent then, from messages whose hour chance drew (`response`).

Presence says when somebody is there, not whether a message would be read; only the third part
does, and without random hours it is a belief. The notes of each run say which it was.
"""

from training.send_time.fit import (
    STRENGTHS,
    StrengthScore,
    TrainedSendTime,
    train_send_time,
)
from training.send_time.judging import (
    BASELINE,
    CUSTOMER_ONLY,
    find_population,
    judge_customer_only,
    judge_population,
    judge_send_time,
)
from training.send_time.weeks import (
    HELD_OUT_DAYS,
    SendTimeDataset,
    Weeks,
    build_send_time_dataset,
)

__all__ = [
    "BASELINE",
    "CUSTOMER_ONLY",
    "HELD_OUT_DAYS",
    "STRENGTHS",
    "SendTimeDataset",
    "StrengthScore",
    "TrainedSendTime",
    "Weeks",
    "build_send_time_dataset",
    "find_population",
    "judge_customer_only",
    "judge_population",
    "judge_send_time",
    "train_send_time",
]
