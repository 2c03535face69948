"""`manage.py create_token USERNAME [--name N] [--organization SLUG]` prints one API token, and nothing else, on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from llmconfig.management.judging import JudgingCommand
from llmconfig.models import Organization, User
from llmconfig.services import issue_token
from llmconfig.tenancy.audit.actors import OPERATOR
from llmconfig.tenancy.caller import caller_for
from llmconfig.tenancy.errors import Forbidden

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(JudgingCommand):
    help = "Prints a new API token. It is shown this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line")
        parser.add_argument("--organization", metavar="SLUG", help="the user's first by default")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        organization = None
        if slug := options["organization"]:
            organization = Organization.objects.filter(slug=slug).first()
            if organization is None:
                raise CommandError(f"There is no organization {slug!r}.")
        try:
            caller = caller_for(user, organization)
        except Forbidden as error:
            raise CommandError(error.detail) from None
        _, value = issue_token(caller=caller, name=options["name"], actor=OPERATOR)
        self.stdout.write(value)
