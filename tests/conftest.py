"""Settings for the tests. TEST_DATABASE=postgres runs the same tests on Postgres (see tests/servers.py)."""

from __future__ import annotations

import os
import tempfile

os.environ.update(
    SECRET_KEY="test-secret-key-0123456789-abcdefghijkl",
    KEK="test-key-encryption-key-0123456789-abcdef",
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", "sqlite:///" + tempfile.mkdtemp(prefix="routekit-test-") + "/test.sqlite3"),
    REDIS_URL=os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:1/0"),
    ROUTEKIT_HTTPS="false",
    ALLOWED_HOSTS="testserver,localhost,127.0.0.1",
)
