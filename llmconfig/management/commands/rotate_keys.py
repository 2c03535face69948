"""`manage.py rotate_keys`: a new data key for every organization, or with --kek a new KEK over all of them. See docs/guides/keys.md."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import CommandError

from llmconfig.management.judging import JudgingCommand
from llmconfig.management.progress import Progress
from llmconfig.models import Organization
from llmconfig.services.data_key_rotation import finish_rotations, promote_data_key, reseal_organization, seconds_to_wait
from llmconfig.services.kek_rotation import KekRotation, kek_status
from llmconfig.tenancy.audit.actors import OPERATOR
from llmconfig.tenancy.errors import Conflict
from llmconfig.tenancy.models import DataKey
from llmconfig.tenancy.resealing import values_by_key

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

_LISTED: Final = 50


class Command(JudgingCommand):
    help = (
        "Makes a new data key for each organization, seals everything anew under it and deletes the old one. Requests go on meanwhile; "
        "a rotation that was stopped goes on when the command is run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="this one alone")
        parser.add_argument("--kek", action="store_true", help="rotate the KEK instead: wrap every key anew under another")
        parser.add_argument("--start-over", action="store_true", help="set aside a data key that cannot be opened, go on with a new one")
        parser.add_argument("--status", action="store_true", help="count what each key holds, and change nothing")
        parser.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")
        parser.add_argument("--no-wait", action="store_true", help="do not wait to delete the old keys; beat does so later")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["kek"] and (options["organization"] or options["start_over"]):
            raise CommandError("--kek is about all organizations, and about no data key itself.")
        organizations = self._organizations(options["organization"])
        if options["status"]:
            self._status(organizations)
        elif options["kek"]:
            self._rotate_kek(dry_run=options["dry_run"], wait=not options["no_wait"])
        elif options["dry_run"]:
            self._say_what_would_be_done(organizations)
        else:
            self._rotate(organizations, start_over=options["start_over"], wait=not options["no_wait"])

    def _organizations(self, slug: str | None) -> list[Organization]:
        if slug is None:
            return list(Organization.objects.filter(data_keys__isnull=False).distinct().order_by("created_at", "id"))
        found = list(Organization.objects.filter(slug=slug))
        if not found:
            raise CommandError(f"There is no organization {slug!r}.")
        return found

    def _status(self, organizations: Sequence[Organization]) -> None:
        for organization in organizations:
            counted = values_by_key(organization.pk)
            for row in DataKey.objects.filter(organization=organization).order_by("-created_at"):
                state = "retired" if row.retired_at else "current"
                self._say(f"{organization.slug}: data key {row.key_id} ({state}) seals {counted[row.key_id]:,}")
            if counted[""]:
                self._say(f"{organization.slug}: {counted['']:,} under a key that is gone")
        for line in kek_status():
            self._say(line)

    def _say_what_would_be_done(self, organizations: Sequence[Organization]) -> None:
        for organization in organizations:
            total = sum(values_by_key(organization.pk).values())
            self._say(f"{organization.slug}: {total:,} values would be sealed anew under a new data key")

    def _rotate(self, organizations: Sequence[Organization], *, start_over: bool, wait: bool) -> None:
        problems: list[str] = []
        for organization in organizations:
            problems += self._rotate_one(organization, start_over=start_over)
        ids = {organization.pk for organization in organizations}
        seconds = seconds_to_wait(ids)
        if seconds and wait:
            self._say(f"Waiting {seconds:.0f} s for what is under way with the old keys…")
            time.sleep(seconds)
        deleted = sum(finish_rotations(organization_id=organization.pk) for organization in organizations)
        left = DataKey.objects.filter(organization__in=ids).exclude(retired_at=None).count()
        kept = f"; {left} retired one{'s stay' if left != 1 else ' stays'}" if left else ""
        self._say(f"{len(organizations)} organization{'s' if len(organizations) != 1 else ''} done, {deleted} old data keys deleted{kept}")
        self._fail_for(problems)

    def _rotate_one(self, organization: Organization, *, start_over: bool) -> list[str]:
        """What could not be opened."""
        try:
            promotion = promote_data_key(organization=organization, actor=OPERATOR, start_over=start_over)
        except Conflict:
            return [f"the data key of organization {organization.slug} (--start-over sets it aside)"]
        except Organization.DoesNotExist:
            self._say(f"{organization.slug} was deleted meanwhile")
            return []
        counted = values_by_key(organization.pk)
        todo = sum(number for key_id, number in counted.items() if key_id != promotion.key_id)
        how = "goes on under" if promotion.resumed else "has the new"
        self._say(f"{organization.slug} {how} data key {promotion.key_id}: {todo:,} values to seal anew")
        progress = Progress(self.stdout, organization.slug, todo)
        result = reseal_organization(organization.pk, progress=progress.advance)
        progress.close()
        self._say(f"{organization.slug}: {result.values:,} values sealed anew")
        held = [f"{result.busy:,} values of {organization.slug}, which others held: run this again"] if result.busy else []
        return [*map(str, sorted(result.stuck, key=str)), *held]

    def _rotate_kek(self, *, dry_run: bool, wait: bool) -> None:
        if dry_run:
            for line in kek_status():
                self._say(line)
            return
        try:
            with KekRotation(actor=OPERATOR, say=self._say) as rotation:
                problems = rotation.run(wait=wait)
        except BlockingIOError:
            raise CommandError("Another rotate_keys --kek is under way. Wait for it.") from None
        self._fail_for(problems)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _fail_for(self, problems: Sequence[str]) -> None:
        if problems:
            shown = "".join(f"\n  {problem}" for problem in problems[:_LISTED])
            more = f"\n  and {len(problems) - _LISTED:,} more" if len(problems) > _LISTED else ""
            raise CommandError(f"{len(problems):,} could not be opened, and were left as they are:{shown}{more}")
