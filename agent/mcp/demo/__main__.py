"""`python -m agent.mcp.demo --host 127.0.0.1 --port 0 --data demo.sqlite3`: run the demo service."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from agent.mcp.demo.server import serve
from agent.mcp.demo.store import Store


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agent.mcp.demo", description="routekit's demo MCP service")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose; the address is printed")
    parser.add_argument("--data", type=Path, required=True, help="file that keeps the demo's records; created when missing")
    options = parser.parse_args()
    store = Store(options.data)
    try:
        serve(store, host=options.host, port=options.port)
    except OSError as error:
        print(f"The demo service cannot listen on {options.host}:{options.port}: {error.strerror}.", file=sys.stderr)  # noqa: T201
        return 1
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
