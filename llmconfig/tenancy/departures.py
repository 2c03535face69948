"""Told when a person leaves an organization, or an organization ends: whoever keeps things of theirs lets go of them.

Receivers run within the transaction and before the rows go; what reaches beyond the database waits for its commit.
"""

from __future__ import annotations

from django.dispatch import Signal

member_leaving = Signal()
"""Sends `organization` and `user`."""
organization_ending = Signal()
"""Sends `organization`."""
