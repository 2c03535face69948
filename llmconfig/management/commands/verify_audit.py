"""`manage.py verify_audit`: is the audit trail what was recorded? Exit code 0: yes; 1: no; 2: a key or a file could not be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from llmconfig.services import audit_offline as offline
from llmconfig.services.audit_verify import chain_keys, chain_named, name_of, verify_chains, with_file_problems, written_heads
from llmconfig.tenancy.audit import record
from llmconfig.tenancy.audit.actors import OPERATOR
from llmconfig.tenancy.audit.chains import Problem
from llmconfig.tenancy.audit.trail import keys_of

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from llmconfig.services.audit_heads import HeadsFile
    from llmconfig.tenancy.audit.chains import Verdict

BROKEN, UNVERIFIED = 1, 2
_KEY_NOTE = (
    "Whoever holds this key can verify this one chain, and could as well make events of it that verify. Keep it as a secret; "
    "what it proves against the installation's owner is only what agrees with heads that were handed over earlier."
)


class Command(BaseCommand):
    help = "Verifies the audit trail: every chain of the database, or an export. Exit code 0: intact, 1: broken, 2: could not be verified."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="this chain alone; `installation`, or the id of a deleted organization")
        parser.add_argument("--heads", metavar="FILE", default="", help="heads that were written out; this installation's by default")
        parser.add_argument("--export", metavar="FILE", help="verify a JSON lines export (or an archive) instead of the database")
        parser.add_argument("--key-file", metavar="FILE", help="with --export: the chain's key, so that no database is needed")
        parser.add_argument("--print-key", metavar="SLUG", help="print the key of this chain, for --key-file")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["key_file"] and not options["export"]:
            raise CommandError("--key-file goes with --export.", returncode=UNVERIFIED)
        if options["print_key"]:
            self._print_key(options["print_key"])
        elif options["export"]:
            self._verify_export(Path(options["export"]), options["key_file"], options["heads"])
        else:
            self._verify_chains(options["organization"], options["heads"])

    def _verify_chains(self, slug: str | None, heads_path: str) -> None:
        only = self._chain(slug) if slug else None
        heads = self._heads(heads_path)
        worst: set[bool | None] = set()
        for chain, verdict in verify_chains(only=only, heads=heads):
            self._tell(f"{name_of(chain)}", verdict, len(heads.by_chain.get(chain, ())) if heads else None)
            worst.add(verdict.intact)
        if heads and heads.damaged:
            self.stdout.write(f"heads file: BROKEN: line {heads.damaged[0]:,} is no head that was written out.")
            worst.add(False)
        self._end(worst)

    def _verify_export(self, path: Path, key_file: str | None, heads_path: str) -> None:
        try:
            header = offline.read_header(path)
            if key_file:
                chain, keys = offline.keys_in(Path(key_file).read_text())
                if chain != header["chain"]:
                    raise CommandError("The key file belongs to another chain than the export.", returncode=UNVERIFIED)
                key_of = offline.key_among(keys)
            else:
                key_of = keys_of(_uuid(header["chain"]))
            heads = self._heads(heads_path) if heads_path or not key_file else None
            mine = heads.by_chain.get(_uuid(header["chain"]), []) if heads else []
            verdict = offline.verify_export(path, key_of=key_of, heads=mine)
        except offline.NotAnExport as error:
            self.stdout.write(f"{path.name}: BROKEN: {error}")
            raise SystemExit(BROKEN) from None
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read ({error.strerror}).", returncode=UNVERIFIED) from None
        if heads and heads.damaged:
            damaged = Problem("file", None, f"Line {heads.damaged[0]:,} of the heads file is no head that was written out.")
            verdict = with_file_problems(verdict, (damaged,))
        self._tell(path.name, verdict, len(mine) if heads else None)
        self.stdout.write(_proves(header))
        self._end({verdict.intact})

    def _print_key(self, slug: str) -> None:
        chain = self._chain(slug)
        keys = {key_id: key.hex() for key_id, key in chain_keys(chain).items()}
        if not keys:
            raise CommandError("No present KEK opens a key of this chain.", returncode=UNVERIFIED)
        record("audit.key_printed", actor=OPERATOR, organization=chain, details={"keys": sorted(keys)})
        self.stdout.write(json.dumps({"format": offline.KEYS_FORMAT, "chain": str(chain), "keys": keys}))
        self.stderr.write(_KEY_NOTE)

    def _chain(self, slug: str) -> UUID:
        chain = chain_named(slug)
        if chain is None:
            raise CommandError(f"There is no organization {slug!r}.", returncode=UNVERIFIED)
        return chain

    def _heads(self, path: str) -> HeadsFile | None:
        try:
            return written_heads(path)
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read ({error.strerror}).", returncode=UNVERIFIED) from None

    def _tell(self, name: str, verdict: Verdict, heads: int | None) -> None:
        against = "no heads were written out" if not heads else f"{heads:,} {'head' if heads == 1 else 'heads'} written out"
        span = f"{verdict.checked:,} events" + (f", {verdict.first_seq:,} to {verdict.last_seq:,}" if verdict.first_seq else "")
        if verdict.intact:
            self.stdout.write(f"{name}: intact ({span}; {against})")
        elif verdict.intact is None:
            self.stdout.write(f"{name}: NOT VERIFIED: no key opens {verdict.unverified:,} of {span}; they do follow one another")
        else:
            seqs = [problem.seq for problem in verdict.problems if problem.seq is not None]
            where = f" at event {min(seqs):,}" if seqs else ""
            self.stdout.write(f"{name}: BROKEN{where} ({span}; {against})")
        for problem in verdict.problems:
            self.stdout.write(f"  {problem.detail}")

    def _end(self, verdicts: set[bool | None]) -> None:
        if False in verdicts:
            raise SystemExit(BROKEN)
        if None in verdicts:
            raise SystemExit(UNVERIFIED)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise offline.NotAnExport("The header names no chain.") from None


def _proves(header: dict[str, Any]) -> str:
    match header["scope"]:
        case "chain":
            return "A whole chain: nothing is missing of it up to the head in its header."
        case "range":
            return "A stretch of a chain: nothing is missing within it; what comes before and after is not in the file."
        case _:
            return "A filtered export: each event is what was recorded, but no chain shows whether others were left out."
