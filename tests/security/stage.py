"""One organization with somebody of every role and Mallory's beside it; each has one thing of every kind, and some are shared."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from django.core.files.base import ContentFile
from django.test import Client
from django.test.client import ClientHandler
from django.utils import timezone

from agent.models import Message, Run, ToolGrant
from agent.services.attachments import create_attachment
from llmconfig.models import CustomModel, UserLLMConfig
from llmconfig.tenancy.accounts import create_api_token
from llmconfig.tenancy.models import Invitation, Role
from tests.agent.rows import answered, claimed, conversation_of, decision, service_of, tool_call
from tests.llmconfig.people import Person, person
from tests.security.table import SCOPES, May

if TYPE_CHECKING:
    from uuid import UUID

Ids = dict[str, Any]
PRIVATE = {"token", "attachment", "conversation", "run", "call", "grant", "member", "invitation"}


@dataclass(frozen=True)
class Who:
    """Somebody at the door. scope: of their token, or "session"; broken: a token that never lets anyone in."""

    name: str
    client: Client
    role: str = ""
    scope: str = "session"
    organization: Literal["", "ours", "theirs"] = ""

    def may(self, what: May) -> bool:
        return self.role in what.roles.split() and what.scope in SCOPES[self.scope]

    @property
    def has_own(self) -> bool:
        return self.role in ("member", "admin", "owner")


@dataclass
class Stage:
    people: dict[str, Person] = field(default_factory=dict)
    own: dict[str, dict[str, Ids]] = field(default_factory=dict)
    """By name and kind, the ids of what is theirs."""
    shared: dict[str, Ids] = field(default_factory=dict)
    theirs_shared: dict[str, Ids] = field(default_factory=dict)
    strangers: list[Who] = field(default_factory=list)
    """Those who are nobody: without a token, or with one that counts no more."""
    browsers: list[Who] = field(default_factory=list)
    """Somebody of every role, and Mallory, each with a session."""
    tokens: list[Who] = field(default_factory=list)
    """The same people with a token of each scope."""

    def mixed(self, who: Who, thing: str) -> list[Ids]:
        """Ids that each exist, and do not belong together."""
        others = self.own["owner" if who.name != "owner" else "member"]
        mine = self.own[who.name]
        if thing == "grant":
            grants = [{"id": others["service"]["id"], "grant": mine["grant"]["grant"]}]
            grants += [{"id": each["id"], "grant": others["grant"]["grant"]} for each in (mine["service"], self.shared["service"])]
            return grants
        if thing == "tool":
            names = (others["tool"]["name"], self.shared["tool"]["name"])
            return [{"id": mine["service"]["id"], "name": name} for name in names]
        return []


def set_stage() -> Stage:
    stage = Stage()
    alice = person("alice")
    stage.people = {"owner": alice, "mallory": person("mallory")}
    for name in ("viewer", "member", "auditor", "admin"):
        stage.people[name] = person("bob" if name == "member" else name, alice.organization, Role(name))
    for name, each in stage.people.items():
        stage.own[name] = _things_of(each, name)
    stage.shared, stage.theirs_shared = _shared_by(alice), _shared_by(stage.people["mallory"])
    _let_in(stage)
    return stage


def never(ids: Ids) -> Ids:
    """The same path with ids that never were."""
    return {name: "nothing" if name == "name" else uuid4() for name in ids}


def _config(of: Person, *, shared: bool = False) -> UserLLMConfig:
    """Without a key, so that nothing of it goes over a network."""
    owner = None if shared else of.user
    return UserLLMConfig.objects.create(organization=of.organization, owner=owner, provider_type="anthropic", name="C", model="claude")


def _custom(config: UserLLMConfig) -> CustomModel:
    return CustomModel.objects.create(organization=config.organization, config=config, model="tuned")


def _run(of: Person, config: UserLLMConfig) -> Run:
    conversation = conversation_of(of, config=config, model="claude")
    return Run.objects.create(organization=of.organization, conversation=conversation, user=of.user, config=config, model="claude")


def _things_of(of: Person, name: str) -> dict[str, Ids]:
    config = _config(of)
    service = service_of(of, f"find-{name}", slug=f"of-{name}", auth_type="bearer")
    said = conversation_of(of, config=config, model="claude")
    Message.objects.create(conversation=said, position=1, role="user", parts=[{"type": "text", "text": "x"}], created_at=timezone.now())
    file = create_attachment(caller=of.caller, file=ContentFile(f"What {name} keeps.".encode(), "notes.txt"))
    return {
        "config": {"id": config.pk},
        "custom model": {"id": _custom(config).pk},
        "token": {"id": create_api_token(user=of.user, organization=of.organization, name="own")[0].pk},
        "attachment": {"id": file.pk},
        "conversation": {"id": said.pk},
        "run": {"id": _run(of, config).pk},
        "call": {"id": _waiting_call(of, config, service, name)},
        "service": {"id": service.pk},
        "tool": {"id": service.pk, "name": f"find-{name}"},
        "grant": {"id": service.pk, "grant": _grant(of, service, f"find-{name}").pk},
        "member": {"id": of.user.memberships.get().pk},
        "invitation": {"id": _invitation(of).pk},
    }


def _shared_by(of: Person) -> dict[str, Ids]:
    config = _config(of, shared=True)
    service = service_of(of, "find", slug="ours", shared=True, auth_type="bearer")
    return {
        "config": {"id": config.pk},
        "custom model": {"id": _custom(config).pk},
        "service": {"id": service.pk},
        "tool": {"id": service.pk, "name": "find"},
    }


def _waiting_call(of: Person, config: UserLLMConfig, service: Any, name: str) -> UUID:
    run = _run(of, config)
    asked = tool_call(f"{service.slug}__find-{name}", id=1)
    answered(claimed(run), run, calls=(decision(asked, service, "waiting"),))
    Run.objects.filter(pk=run.pk).update(status="waiting_approval", lease_owner="")
    return run.steps.get().tool_calls.get().pk


def _grant(of: Person, service: Any, tool: str) -> ToolGrant:
    return ToolGrant.objects.create(user=of.user, service=service, tool_name=tool, definition_hash="hash")


def _invitation(of: Person) -> Invitation:
    over = timezone.now() + timedelta(days=1)
    return Invitation.objects.create(organization=of.organization, digest=uuid4().hex, invited_by=of.user, expires_at=over)


def _let_in(stage: Stage) -> None:
    handler = ClientHandler(enforce_csrf_checks=False)  # one for all: its middleware takes 40 ms to load

    def client(**headers: str) -> Client:
        made = Client(headers=headers)
        made.handler = handler
        return made

    def bearing(value: str) -> Client:
        return client(Authorization=f"Bearer {value}")

    def token(name: str, *scopes: str, **fields: Any) -> Client:
        of = stage.people[name]
        return bearing(create_api_token(user=of.user, organization=of.organization, name="t", scopes=scopes, **fields)[1])

    for name, each in stage.people.items():
        role = "owner" if name == "mallory" else name
        organization: Any = "theirs" if name == "mallory" else "ours"
        browser = client()
        browser.force_login(each.user)
        stage.browsers.append(Who(name, browser, role, "session", organization))
        stage.tokens += [Who(name, token(name, scope), role, scope, organization) for scope in ("read", "run", "admin")]
    over = timezone.now() - timedelta(seconds=1)
    gone, value = create_api_token(user=stage.people["owner"].user, organization=stage.people["owner"].organization, name="gone")
    gone.delete()
    stage.strangers = [
        Who("anonymous", client()),
        Who("expired", token("owner", "admin", expires_at=over)),
        Who("revoked", bearing(value)),
        Who("made up", bearing("0" * 64)),
    ]
