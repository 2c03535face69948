"""`manage.py import_env_keys --user U` turns ANTHROPIC_API_KEY and its like into configs of one user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from llmconfig.models import User
from llmconfig.services import import_env_keys

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Makes a config for each provider whose key is in the environment. A provider the user already has is left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, metavar="USERNAME")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        found = import_env_keys(user=user, variables=settings.PROVIDER_KEYS())
        for each in found:
            if each.config is None:
                self.stderr.write(f"Not imported: {each.name}. {each.problem}")
            else:
                self.stdout.write(f"Imported {each.name} {each.config.api_key_hint}".rstrip())
        if not found:
            self.stdout.write("Nothing to import.")
