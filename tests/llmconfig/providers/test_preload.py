"""What is slow about a provider happens when it is preloaded, in a thread: an event loop that then builds one waits for nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.llmconfig.vendors import EACH_VENDOR

if TYPE_CHECKING:
    from tests.llmconfig.vendors import Vendor

PROGRAM = """
import asyncio, importlib, json, sys
from llmconfig.llm import Credentials, Secret

provider = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])
provider.preload()
before = set(sys.modules)

async def build():
    await provider(Credentials("http://127.0.0.1:9/v1", {"api_key": Secret("sk-0123456789")})).aclose()

asyncio.run(build())
from llmconfig.net.client import tls_context
print(json.dumps([sorted(set(sys.modules) - before), tls_context.cache_info().misses]))
"""


@EACH_VENDOR
def test_a_preloaded_provider_is_built_without_an_import_and_without_reading_the_trust_store(vendor: Vendor) -> None:
    root = Path(__file__).parents[3]
    names = [vendor.provider.__module__, vendor.provider.__name__]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *names], cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[], 1]
