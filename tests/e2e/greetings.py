"""A question for those who ask the stand-in or the API, and whoever asks it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import BaseModel, Field

from serving.copywriter.claude import Claude
from serving.copywriter.prices import load_prices
from serving.copywriter.reply import Failure, Prompt, Reply
from serving.copywriter.settings import ClaudeSettings

DEADLINE = 0.6
SLACK = 1.5  # of a loaded machine; what is late for a deadline is late by seconds


class Greeting(BaseModel):
    """What is asked for."""

    tone: Literal["warm", "clear"]
    lines: list[str] = Field(min_length=1)


PROMPT = Prompt(
    name="greeting/1",
    system="You write short greetings of a shop. " + "Be plain and kind. " * 200,
    user="A greeting for the first visit in spring: one line, tone warm.",
    answer=Greeting,
    max_tokens=1_000,
)


@contextmanager
def claude(settings: ClaudeSettings) -> Iterator[Claude]:
    with Claude(settings, prices=load_prices(), seed=1) as found:
        yield found


def ask_in_time(asker: Claude, seconds: float = DEADLINE) -> Reply[Greeting] | Failure:
    began = time.perf_counter()
    got = asker.ask(PROMPT, deadline_seconds=seconds)
    assert time.perf_counter() - began < max(0.0, seconds) + SLACK
    return got


def must_fail(got: Reply[Greeting] | Failure) -> Failure:
    assert isinstance(got, Failure), got
    return got


def must_answer(got: Reply[Greeting] | Failure) -> Reply[Greeting]:
    assert isinstance(got, Reply), got
    return got
