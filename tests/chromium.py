"""The browser of the tests: Debian's chromium, or the one that CHROMIUM names. `python -m tests.chromium` makes sure of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def path() -> str | None:
    """Where it is, or None."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, (*NAMES, MAC))), None)


def required() -> str:
    """Where it is. Raises RuntimeError that says what to install."""
    if found := path():
        return found
    if named := os.environ.get("CHROMIUM"):
        raise RuntimeError(f"CHROMIUM names {named}, which is no program.")
    raise RuntimeError(
        "The tests need a browser and found no chromium. Install it (Debian: `apt-get install chromium`; "
        "macOS: `brew install --cask google-chrome`), or name it: CHROMIUM=/path make test"
    )


def install() -> None:
    """On Debian and Ubuntu as root, as in a container. Elsewhere nothing: that is the owner's decision."""
    apt = shutil.which("apt-get")
    if path() or os.environ.get("CHROMIUM") or not apt or os.geteuid() != 0:
        return
    print("Installing chromium for the browser tests…", flush=True)  # noqa: T201
    unasked = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ([apt, "-qq", "update"], [apt, "-qq", "install", "-y", "--no-install-recommends", "chromium"]):
        subprocess.run(command, env=unasked, check=False, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    install()
    try:
        required()
    except RuntimeError as error:
        sys.exit(str(error))
