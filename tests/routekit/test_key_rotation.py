"""The KEK and the data keys of a running installation are rotated, and its processes follow without a restart."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.anthropic import FakeAnthropic
from tests.routekit.stack import ROOT, Stack, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-ant-of-a-running-installation-0001"
pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack")]


def manage(home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(ROUTEKIT_HOME=str(home), ROUTEKIT_ROTATION_GRACE="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def vendor() -> Iterator[FakeAnthropic]:
    with FakeAnthropic(key=KEY) as fake:
        yield fake


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, vendor: FakeAnthropic) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("keys") / "home", ROUTEKIT_PRIVATE_HOSTS=vendor.host)
    try:
        running.wait_for("^Ready:", timeout=90)
        yield running
    finally:
        running.close()


def test_promise_2_a_running_installation_follows_both_rotations(stack: Stack, vendor: FakeAnthropic) -> None:
    token = manage(stack.home, "create_token", "admin").strip()

    def api(path: str, body: dict[str, Any] | None = None, method: str = "") -> Any:
        request = urllib.request.Request(
            f"{stack.url}/api{path}",
            method=method or ("POST" if body is not None else "GET"),
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    body = {"provider_type": "anthropic", "api_key": KEY, "base_url": vendor.base_url, "model": "claude-sonnet-4-5"}
    config = api("/user/llm-config", body)

    def works() -> bool:
        return bool(api("/user/llm-config/test", {"id": config["id"]})["ok"])

    assert works()
    keys = stack.home / "keys"
    before = (keys / "kek").read_text()
    manage(stack.home, "rotate_keys")
    assert works()
    said = manage(stack.home, "rotate_keys", "--kek")
    assert "The old KEK is retired" in said
    after = (keys / "kek").read_text()
    assert (after != before, (keys / "kek").stat().st_mode & 0o777, (keys / "kek_others").exists()) == (True, 0o600, False)
    assert works()
    assert api("/user/llm-config", body)["status"] == "untested"
    rotated = api("/organization/rotate-keys", {})
    assert rotated["resumed"] is False
    assert works()
    manage(stack.home, "rotate_keys")
    assert works()
    assert before.strip() not in stack.said() + said
    assert after.strip() not in stack.said() + said
