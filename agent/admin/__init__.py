"""The agent's rows in Django's admin: what ran and what it cost, never what was said, never a token."""

from agent.admin import attachments, runs, services

__all__ = ["attachments", "runs", "services"]
