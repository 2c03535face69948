"""From a bare machine to a `.venv` with the locked dependencies: `python3 -I routekit/bootstrap.py up|run|dev`.

Standard library only, and a syntax that Python 3.6 reads, so that an old Python gets a sentence and not a SyntaxError.
`run` and `dev` install that lock; `up` installs `run` and becomes the supervisor of `routekit.embedded`.
"""

import errno
import hashlib
import os
import re
import shutil
import subprocess  # noqa: S404 RUF100  # venv and pip are programs
import sys
import time
from typing import List, NoReturn, Optional, Tuple

MINIMUM = (3, 11)
NEW_ENOUGH = f"import sys; sys.exit(sys.version_info[:2] < {MINIMUM})"
THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"
CANDIDATES = ["python3"] + [f"python3.{minor}" for minor in range(16, 10, -1)]
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
VENV_PYTHON = os.path.join(VENV, "bin", "python")
PIP_LOG = os.path.join(VENV, "pip.log")
AGAIN = "Then run `make` again; it goes on where it stopped."

# What pip says, and what that means for the person at the keyboard. The first pattern found wins.
PIP_FAULTS = [
    (r"No space left on device|Errno 28", "The disk is full.", "Free about 1 GB and run `make` again."),
    (r"Read-only file system|Permission denied", "The folder .venv cannot be written.", "Make it writable, or remove it. " + AGAIN),
    (
        r"DO NOT MATCH THE HASHES",
        "A downloaded package is not the one that requirements/ names: its hash differs.",
        "Do not use this package index; try again from another network or mirror.",
    ),
    (
        r"name resolution|Name or service not known|nodename nor servname|unreachable|Connection refused|ConnectTimeout|[Tt]imed out"
        r"|Failed to establish|Connection (?:reset|broken)|ProxyError|Cannot connect to proxy",
        "The packages could not be downloaded: no network, or the package index is out of reach.",
        "Connect to the internet, or name a mirror with PIP_INDEX_URL (and a proxy with HTTPS_PROXY). " + AGAIN,
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "The package index's certificate is not trusted.",
        "Name your authority with PIP_CERT. " + AGAIN,
    ),
    (
        r"No matching distribution found",
        "A package has no build for this machine.",
        "routekit runs on Linux (glibc) and macOS, x86-64 and ARM, with Python 3.11 to 3.14.",
    ),
]


class Stop(Exception):
    """The set-up cannot go on: what happened, and what to do next."""

    def __init__(self, happened: str, todo: str) -> None:
        super().__init__(happened + "\n" + todo)


class Progress:
    """One line for a slow step. On a terminal it counts the seconds; elsewhere it is printed at the start and at the end."""

    def __init__(self, step: str) -> None:
        self.step = step
        self.begin = time.time()
        self.live = sys.stdout.isatty()
        self.width = 0
        if not self.live:
            self._print(step + "…\n")

    def tick(self, detail: str = "") -> None:
        if self.live:
            line = f"{self.step}… {time.time() - self.begin:.0f} s{detail}"
            self._print("\r" + line.ljust(self.width))
            self.width = len(line)

    def done(self) -> None:
        line = f"{self.step}: done in {time.time() - self.begin:.0f} s"
        self._print(("\r" + line.ljust(self.width) if self.live else line) + "\n")

    def broken(self) -> None:
        if self.live:
            self._print("\n")

    @staticmethod
    def _print(text: str) -> None:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()


def suitable_python() -> Optional[str]:
    """The first Python on PATH that is new enough; asks each, because a name on PATH may be a stub that does not run."""
    for name in CANDIDATES:
        path = shutil.which(name)
        if path and subprocess.call([path, "-I", "-c", NEW_ENOUGH], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            return path
    return None


def go_on_with_a_new_python() -> None:
    """Returns in a Python that is new enough: this one, or the one that replaces this process."""
    if sys.version_info[:2] >= MINIMUM:
        return
    path = suitable_python()
    if path is None:
        raise Stop(
            f"routekit needs Python 3.11 or newer; this is Python {THIS} and PATH has no newer one.",
            "Install it (Debian, Ubuntu: `apt install python3 python3-venv`; macOS: `brew install python`) and run `make` again.",
        )
    os.execv(path, [path, "-I", *sys.argv])


def lock_path(lock: str) -> str:
    return os.path.join(ROOT, "requirements", lock + ".txt")


def fingerprint(lock: str) -> str:
    """What the stamp of an installed lock holds: another lock, or another Python, is installed anew."""
    with open(lock_path(lock), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def installed(lock: str) -> bool:
    """Whether the stamp says so, and the venv's Python still exists (an upgrade of the system's Python leaves a dead link)."""
    try:
        with open(os.path.join(VENV, ".installed-" + lock)) as file:
            return file.read() == fingerprint(lock) and os.access(VENV_PYTHON, os.X_OK)
    except OSError:
        return False


def make_venv() -> None:
    """Makes `.venv`, or makes it anew when its Python no longer runs or is too old."""
    if (
        os.access(VENV_PYTHON, os.X_OK)
        and subprocess.call([VENV_PYTHON, "-I", "-c", "import pip; " + NEW_ENOUGH], stderr=subprocess.DEVNULL) == 0
    ):
        return
    os.makedirs(VENV, exist_ok=True)
    progress = Progress("Making .venv")
    command = [sys.executable, "-I", "-m", "venv", "--clear", VENV]
    code, said = follow(command, progress)
    if code == 0:
        progress.done()
        return
    progress.broken()
    if "ensurepip" in said or "No module named venv" in said:
        raise Stop(
            "This Python has no venv module, which Debian and Ubuntu package apart.",
            f"Run `apt install python3-venv` (or python{THIS}-venv) and `make` again.",
        )
    raise fault(said, "The virtual environment could not be made.")


def install(lock: str) -> None:
    if installed(lock):
        return
    make_venv()
    with open(lock_path(lock)) as file:
        count = len(re.findall(r"^[A-Za-z0-9]", file.read(), re.MULTILINE))
    progress = Progress(f"Installing {count} packages")
    command = [VENV_PYTHON, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=3"]
    code, said = follow(
        [*command, "--require-hashes", "--no-deps", "-r", lock_path(lock)], progress, r"^(?:Collecting|Requirement already)"
    )
    with open(PIP_LOG, "w") as file:
        file.write(said)
    if code != 0:
        progress.broken()
        raise fault(said, "The packages could not be installed.")
    for name in {lock, "run"}:  # dev holds all of run, at the same versions
        with open(os.path.join(VENV, ".installed-" + name), "w") as file:
            file.write(fingerprint(name))
    progress.done()


def follow(command: List[str], progress: Progress, counted: str = "") -> Tuple[int, str]:
    """Runs a command under a progress line; its exit code and all it said. A line that matches `counted` counts as a package."""
    environment = dict(os.environ, PIP_USER="0", PYTHONUNBUFFERED="1", LC_ALL="C.UTF-8")
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, errors="replace", env=environment
    )
    said, count = [], 0
    for line in child.stdout or []:
        said.append(line)
        if counted and re.match(counted, line):
            count += 1
        progress.tick(f", {count} found" if count else "")
    return child.wait(), "".join(said)


def fault(said: str, otherwise: str) -> Stop:
    """What went wrong, from what the program said."""
    for pattern, happened, todo in PIP_FAULTS:
        if re.search(pattern, said):
            return Stop(happened, todo)
    last = [line for line in said.splitlines() if line.strip()][-5:]
    return Stop(otherwise + "\n  " + "\n  ".join(last), "All that was said is in .venv/pip.log. Mend it and run `make` again.")


def folder_fault(error: OSError) -> Stop:
    if error.errno == errno.ENOSPC:
        return Stop(f"The disk is full ({error.filename or ROOT}).", "Free about 1 GB and run `make` again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Stop(
            f"{error.filename or ROOT} cannot be written ({error.strerror}).",
            "Copy the project to a folder that you own, and run `make` there.",
        )
    return Stop(f"{error.filename or ROOT}: {error.strerror}.", "Mend this and run `make` again.")


def become(command: List[str]) -> NoReturn:
    """Replaces this process, so that a signal to `make up` reaches the supervisor itself."""
    os.chdir(ROOT)
    os.execv(VENV_PYTHON, [VENV_PYTHON, *command])


def main(arguments: List[str]) -> int:
    if arguments not in (["up"], ["run"], ["dev"]):
        sys.stderr.write("usage: bootstrap.py up|run|dev\n")
        return 2
    try:
        go_on_with_a_new_python()
        install("dev" if arguments == ["dev"] else "run")
        if arguments == ["up"]:
            become(["-m", "routekit.embedded"])
    except Stop as stop:
        sys.stderr.write(f"\n{stop}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"\n{folder_fault(error)}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Run `make` again; it goes on from here.\n")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
