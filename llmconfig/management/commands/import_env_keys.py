"""`manage.py import_env_keys --user U` turns ANTHROPIC_API_KEY and its like into configs of one user, and tests them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import CommandError

from llmconfig.management.judging import JudgingCommand
from llmconfig.models import User
from llmconfig.services import import_env_keys, test_new_configs
from llmconfig.tenancy.audit.actors import OPERATOR

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from llmconfig.services import ConnectionResult


class Command(JudgingCommand):
    help = "Makes a config for each provider whose key is in the environment, and tests it. A provider the user already has is left alone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, metavar="USERNAME")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["user"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']!r}.")
        found = import_env_keys(user=user, variables=settings.PROVIDER_KEYS())
        for each in found:
            if each.config is None:
                self.stderr.write(f"{each.label}: not imported. {each.problem}")
        made = {each.label: each.config for each in found if each.config is not None}
        if made:
            self.stdout.write(f"Testing the keys of {', '.join(made)}…")
            self.stdout.flush()  # a provider may take its time
            for label, result in zip(made, test_new_configs(list(made.values()), actor=OPERATOR), strict=True):
                self.stdout.write(f"{label}: {_outcome(result)}")
        if not found:
            self.stdout.write("Nothing to import.")


def _outcome(result: ConnectionResult) -> str:
    if not result.ok:
        return f"saved, but: {result.error_detail}"
    return f"works, {len(result.models)} model{'' if len(result.models) == 1 else 's'}"
