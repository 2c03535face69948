"""`python -m tests.aimock` makes sure that aimock is there; `make test` begins with it."""

from __future__ import annotations

import sys

from tests.aimock.install import install

if __name__ == "__main__":
    try:
        install()
    except RuntimeError as error:
        sys.exit(str(error))
