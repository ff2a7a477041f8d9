"""What the schema of workflows refuses."""

from pathlib import Path

import pytest

from features.errors import ConfigurationError
from serving.workflows.spec import load_spec

STEP = "{name: a, do: b, deadline_minutes: 5, no_undo: x}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (f"name: n\nversion: 1\nsteps: [{STEP}, {STEP}]", "a more than once"),
        ("name: n\nversion: 1\nsteps: [{name: a, do: b, deadline_minutes: 5}]", "undo and no_undo"),
        (
            f"name: n\nversion: 1\nsteps: [{STEP[:-1]}, undo_at_end: true}}]",
            "need undo",
        ),
        ("name: n\nversion: 1\nsteps: []", "steps"),
        (f"name: n\nversion: 1\nsteps: [{STEP}]\nspeed: 3", "speed"),
        ("name: n\nversion: 1\nsteps: [{name: a, do: b, deadline_minutes: 0, no_undo: x}]", "0"),
        (
            "name: n\nversion: 1\nsteps: [{name: a, do: b, deadline_minutes: .nan, no_undo: x}]",
            "finite",
        ),
        (
            "name: n\nversion: 1\nsteps: [{name: A b, do: b, deadline_minutes: 5, no_undo: x}]",
            "name",
        ),
    ],
)
def test_a_wrong_workflow_is_refused_by_place_and_reason(
    tmp_path: Path, *, text: str, fault: str
) -> None:
    path = tmp_path / "workflow.yaml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match="workflow") as raised:
        load_spec(path)

    assert fault in str(raised.value)
