"""The learner beside a running service: outcomes become words, without a restart."""

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from features.vocabulary import Outcome, Trigger
from serving.launch import find_free_port, running_service
from serving.records import DecisionRequest, OutcomeEvent
from serving.settings import ApiKey, Scope, Settings
from serving.snapshot.files import publish_snapshot
from serving.snapshot.state import Snapshot

pytestmark = pytest.mark.e2e


def learner(settings: Settings, *arguments: str) -> "subprocess.Popen[str]":
    program = "from serving.cli.main import main; main()"
    command = [sys.executable, "-c", program, "learn", "--json", *arguments]
    environment = {**os.environ, **settings.to_environment(), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_service_takes_what_the_learner_learned_without_a_restart(
    snapshot: Snapshot, tmp_path: Path
) -> None:
    settings = Settings(
        home=tmp_path,
        clock="caller",
        port=find_free_port("127.0.0.1"),
        api_keys={"shop": ApiKey(key="a-key-of-at-least-sixteen", scopes=frozenset(Scope))},
    )
    publish_snapshot(snapshot, settings.snapshots)

    def ask(number: int) -> DecisionRequest:
        return DecisionRequest(
            customer_id=f"c{number:03d}",
            trigger=Trigger.PRICE_DROP,
            evidence={"item": "Kettle", "old_price_cents": 4000, "new_price_cents": 3000},
            decided_at=snapshot.as_of,
        )

    moment = (snapshot.as_of + timedelta(days=9)).isoformat()
    with running_service(settings, log=tmp_path / "service.log") as client:
        decided = client.decide_many([ask(n) for n in range(40)])
        sent = [d for d in decided if d.send and d.send_at is not None]
        client.report(
            [
                OutcomeEvent(
                    message_id=message.message_id,
                    outcome=Outcome.CONVERTED,
                    at=d.send_at + timedelta(hours=2),
                )
                for d in sent
                if d.send_at is not None
                for message in d.messages
            ]
        )
        with learner(settings, "--every", "0.2", "--as-of", moment) as process:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            second = learner(settings, "--once")
            _, refused = second.communicate(timeout=60)
            again = client.decide(ask(41))
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=30) == 0

    n_messages = sum(len(d.messages) for d in sent)
    assert n_messages > 10
    assert {d.models.bandit for d in decided} == {0}
    assert (told["version"], told["settled"], told["rebuilt"]) == ("000001", n_messages, True)
    assert again.models.bandit == n_messages
    assert second.returncode != 0
    assert "another learner is at work" in refused
