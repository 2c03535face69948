#!/usr/bin/env python
"""Django's command line, for routekit."""

import gc
import os
import sys


def main() -> None:
    gc.set_threshold(50_000, 20, 50)  # a start makes objects that stay: looking through them every 700 takes a tenth of it
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "routekit.settings")
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415  # Django only once its settings are named
    from django.core.management import execute_from_command_line  # noqa: PLC0415

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"routekit cannot start: {error}")


if __name__ == "__main__":
    main()
