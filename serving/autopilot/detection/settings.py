"""What the detector is told: the owner's budget of false alarms, and what counts as a burst."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class DetectionSettings(BaseModel):
    """Settings of detection.

    Attributes:
        false_alarms_per_week: The budget of the whole chain, all streams together.
        least_customers: Fewer distinct customers are never a burst, whatever chance says.
        insistent_messages: Whoever writes so many times within the longest window insists: one more
            customer is needed for each of them, two at most, so that a few cannot make a burst.
        shortest_minutes: A window counts as at least so long: two messages in a second are no
            proof that a thousand an hour come. Messages of one customer that are closer are one.
        longest_minutes: No burst is looked for over a longer window.
        repeat_hours: A customer counts once in a stream within as many hours.
        late_hours: A message that arrives later than this starts no burst.
        busy_per_day: From this level on, windows are judged with the dispersion of the stream.
        trailing_days: Time constant of a stream's own level.
        shrink_days: Days that the chain's level for the topic counts for beside it.
        going_on_share: Of a burst's rate; a quarter of it still counts as going on.
        going_on_per_hour: Fewer complaints in an hour do not: a weak burst is over in hours.
        end_odds: Odds of silence under what is usual against going on, from which it is over.
        stale_hours: A burst that never ends is closed after as many hours: it is the new usual.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    false_alarms_per_week: float = Field(default=1.0, gt=0, le=100)
    least_customers: int = Field(default=3, ge=2)
    insistent_messages: int = Field(default=3, ge=2)
    shortest_minutes: float = Field(default=5.0, gt=0)
    longest_minutes: float = Field(default=180.0, le=720)
    repeat_hours: float = Field(default=12.0, ge=0, le=15)
    late_hours: float = Field(default=6.0, ge=0, le=6)
    busy_per_day: float = Field(default=20.0, gt=0)
    trailing_days: float = Field(default=28.0, gt=1)
    shrink_days: float = Field(default=7.0, gt=0)
    going_on_share: float = Field(default=0.25, gt=0, lt=1)
    going_on_per_hour: float = Field(default=0.75, gt=0)
    end_odds: float = Field(default=100.0, gt=1)
    stale_hours: float = Field(default=72.0, gt=0)

    @model_validator(mode="after")
    def _windows_are_in_order(self) -> Self:
        if self.shortest_minutes >= self.longest_minutes:
            raise ValueError(
                f"shortest_minutes {self.shortest_minutes:g}: expected less than longest_minutes"
                f" {self.longest_minutes:g}"
            )
        return self
