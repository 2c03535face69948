"""Do the locks still hold what pyproject.toml asks for, and nothing of the machine that wrote them? `make check-lock`."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
FOREIGN = re.compile(r"https?://|file://|--(?:extra-)?index-url|--find-links|(?:^|\s)(?:/|[A-Z]:\\)", re.MULTILINE)


def pinned(lock: str) -> dict[str, Version]:
    return {canonicalize_name(name): Version(version) for name, version in re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock, re.MULTILINE)}


def faults() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["embedded"]]
    wanted = {"run": run, "dev": [*run, *project["dependency-groups"]["dev"]]}
    found, pins = [], {}
    for name, requirements in wanted.items():
        lock = (ROOT / "requirements" / f"{name}.txt").read_text()
        pins[name] = pinned(lock)
        found += [f"{name}.txt names a host or a path: {match.group().strip()}" for match in FOREIGN.finditer(lock)]
        found += [f"{name}.txt pins {pin} without a hash" for pin in re.findall(r"^([\w.-]+==\S+)[^\n]*(?<!\\)$", lock, re.MULTILINE)]
        for requirement in map(Requirement, requirements):
            version = pins[name].get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                found.append(f"{name}.txt has {requirement.name} {version or 'not at all'}, pyproject.toml asks for {requirement}")
    differing = {name for name, version in pins["run"].items() if pins["dev"].get(name) != version}
    found += [f"dev.txt has {name} {pins['dev'].get(name)}, run.txt {pins['run'][name]}" for name in sorted(differing)]
    return found


if __name__ == "__main__":
    found = faults()
    sys.exit("\n".join([*found, "Run `make lock`."]) if found else 0)
