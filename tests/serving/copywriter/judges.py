"""Askers that judge by a rule, and drafts to be judged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from features.vocabulary import Channel, Trigger
from serving.copy.brief import Brand, Brief, Tone
from serving.copy.draft import Draft
from serving.copy.wordings import Piece
from serving.copywriter.reply import Failure, Prompt, Reply, Usage
from serving.copywriter.rubrics import default_rubrics
from tests.serving.copywriter.writers import InTurn

T = TypeVar("T", bound=BaseModel)
GOLDEN = Path(__file__).with_name("golden_judge.yaml")
PAID = Usage(input_tokens=900, output_tokens=200, cost_usd=0.004)
BRIEF = Brief(
    trigger=Trigger.PRICE_DROP,
    channel=Channel.SMS,
    language="en",
    tone=Tone.FRIENDLY,
    brand=Brand(name="Shop"),
)


def make_draft(body: str, **changes: object) -> Draft:
    piece = Piece(facts=body, plain=body)
    draft = Draft(trigger=BRIEF.trigger, channel=BRIEF.channel, language="en", body=(piece,))
    return draft.model_copy(update=changes)


def read_shown(prompt_user: str) -> dict[str, Any]:
    """What the judge is shown, from between the fences."""
    fenced = prompt_user.split("<texts>\n")[1].split("\n</texts>")[0]
    shown: dict[str, Any] = json.loads(fenced)
    return shown


def give(user: str, score_of: Callable[[str], int], *, tone: Tone = BRIEF.tone) -> dict[str, Any]:
    """An answer that scores every body by a rule, all criteria alike."""
    return {
        "texts": [
            {
                "label": text["label"],
                "scores": [
                    {"criterion": name.value, "score": score_of(text["body"]), "reason": "so"}
                    for name in default_rubrics().tones[tone]
                ],
            }
            for text in read_shown(user)["texts"]
        ]
    }


class RuleJudge(InTurn):
    """An `Asker` that answers at once; a text that it fails on makes the whole call fail."""

    def __init__(
        self, score_of: Callable[[str], int], *, failure: Failure | None = None, fails_on: str = ""
    ) -> None:
        self._score_of, self._failure, self._fails_on = score_of, failure, fails_on
        self.prompts: list[Prompt[Any]] = []

    def ask(self, prompt: Prompt[T], *, deadline_seconds: float) -> Reply[T] | Failure:
        assert deadline_seconds > 0.0
        self.prompts.append(prompt)
        if self._failure is not None and self._fails_on in prompt.user:
            return self._failure
        tone = Tone(read_shown(prompt.user)["tone"])
        value = prompt.answer.model_validate(give(prompt.user, self._score_of, tone=tone))
        return Reply(value, "judge-model", "req_1", PAID)
