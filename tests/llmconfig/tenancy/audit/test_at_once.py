"""Many who record at once in one organization make one chain: no gap, no fork."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from llmconfig.services.audit_verify import verify_chain
from llmconfig.tenancy.audit import Actor, AuditEvent, record

if TYPE_CHECKING:
    from tests.llmconfig.people import Person

THREADS, EACH = 8, 10


@pytest.mark.django_db(transaction=True)
def test_promise_34_eight_threads_record_one_chain(alice: Person) -> None:
    barrier = threading.Barrier(THREADS)
    before = AuditEvent.objects.filter(chain=alice.organization.pk).count()

    def work(thread: int) -> None:
        barrier.wait()
        try:
            for number in range(EACH):
                record("config.changed", actor=Actor(f"thread {thread}"), organization=alice.organization.pk, details={"number": number})
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    seqs = list(AuditEvent.objects.filter(chain=alice.organization.pk).order_by("seq").values_list("seq", flat=True))
    assert seqs == list(range(1, before + THREADS * EACH + 1))
    verdict = verify_chain(alice.organization.pk)
    assert (verdict.intact, verdict.checked) == (True, len(seqs))
