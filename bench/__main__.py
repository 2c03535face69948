"""`make bench`: every benchmark, or those named on the command line."""

from __future__ import annotations

import sys
from importlib import import_module

ALL = ("decode", "calls", "first_text", "streams", "stream_log", "audit", "vault")

if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        import_module(f"bench.{name}").main()
