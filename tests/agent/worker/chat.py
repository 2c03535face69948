"""A conversation as a client of the API has it, and the promise that its events tell the same as its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.files.uploadedfile import SimpleUploadedFile

from llmconfig.llm import Secret
from llmconfig.services import create_config
from tests.agent.events import is_gapless, log_of
from tests.agent.fold import TERMINAL, fold_conversation

if TYPE_CHECKING:
    from tests.agent.fold import Event
    from tests.agent.worker.conftest import Worker
    from tests.fakes.server import FakeVendor
    from tests.llmconfig.people import Person

PROVIDER_OF = {"FakeAnthropic": "anthropic", "FakeOpenAI": "openai"}


def model_at(person: Person, vendor: FakeVendor, *, key: str = "sk-test-0123456789abcdef", **fields: Any) -> str:
    """A config at a fake vendor; its model's id."""
    config = create_config(
        caller=person.caller,
        provider_type=PROVIDER_OF[type(vendor).__name__],
        api_key=Secret(key),
        base_url=fields.pop("base_url", vendor.base_url),
        **fields,
    )
    return f"{config.id}/{vendor.models[0]}"


class Chat:
    def __init__(self, person: Person, worker: Worker) -> None:
        self.client, self.worker = person.client(), worker
        self.id = self.client.post("/api/conversations", {}).json()["id"]

    def say(self, said: str | list[dict[str, Any]], target: str | None = None, **more: Any) -> str:
        """Post a message, a text or parts, with more fields; the id of its run."""
        body: dict[str, Any] = {"content": said} if isinstance(said, str) else {"parts": said}
        body |= more | ({"target": {"model": target}} if target else {})
        response = self.client.post(f"/api/conversations/{self.id}/messages", body)
        assert response.status_code == 202, response.content
        run: str = response.json()["run"]["id"]
        return run

    def ask(self, said: str | list[dict[str, Any]], target: str | None = None, **more: Any) -> dict[str, Any]:
        """Say something and wait until the worker has let go; the run."""
        run = self.say(said, target, **more)
        self.worker.finish()
        return self.run(run)

    def upload(self, data: bytes, name: str) -> str:
        """The id of the attachment."""
        response = self.client.post("/api/attachments", {"file": SimpleUploadedFile(name, data)}, format="multipart")
        assert response.status_code == 201, response.content
        id: str = response.json()["id"]
        return id

    def run(self, run_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.client.get(f"/api/runs/{run_id}").json()
        return shown

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        response = self.client.post(path, body or {})
        assert response.status_code in (200, 202), response.content
        answer: dict[str, Any] = response.json()
        return answer

    @property
    def messages(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get(f"/api/conversations/{self.id}/messages").json()["results"]
        return found

    @property
    def texts(self) -> list[str]:
        """What the assistant said, message by message."""
        spoken = [message for message in self.messages if message["role"] == "assistant"]
        return ["".join(part["text"] for part in message["parts"] if part["type"] == "text") for message in spoken]

    def check_told(self) -> dict[str, list[Event]]:
        """The events of every run; asserts that they have no gap, end once, and fold to what GET messages gives."""
        messages = self.messages
        logs = {message["run"]: log_of(message["run"]) for message in messages if message["role"] == "user"}
        for events in logs.values():
            assert is_gapless(events)
            assert [type for _, type, _ in events if type in TERMINAL] == [events[-1][1]]
        told = fold_conversation((message, logs[message["run"]]) for message in messages if message["role"] == "user")
        assert told == messages
        return logs


def types(events: list[Event]) -> list[str]:
    return [type for _, type, _ in events]


def data_of(events: list[Event], kind: str) -> list[dict[str, Any]]:
    return [data for _, type, data in events if type == kind]
