"""What a message may want of the demo service, as calls of its tools: one small rule a wish. Pure, deterministic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TICKET = re.compile(r"\bT-\d+\b", re.IGNORECASE)
CUSTOMER = re.compile(r"\bC-\d+\b", re.IGNORECASE)
ARTICLE = re.compile(r"\bA-\d+\b", re.IGNORECASE)
PRIORITIES = ("low", "normal", "high", "urgent")
STATUSES = ("open", "waiting", "closed")

DEMO_TOOLS = frozenset((
    "search_tickets", "get_ticket", "create_ticket", "close_ticket", "find_customers", "get_customer", "delete_customer",
    "search_articles", "get_article",
))  # fmt: skip

_FILLER = frozenset((
    "a", "about", "all", "an", "and", "any", "are", "at", "be", "by", "can", "could", "customer", "customers", "do", "does",
    "find", "for", "from", "get", "give", "have", "help", "how", "i", "in", "is", "it", "its", "kind", "knowledge", "know",
    "latest", "let", "list", "look", "lookup", "many", "me", "my", "of", "on", "or", "our", "over", "overview", "please",
    "policies", "policy", "search", "see", "show", "tell", "that", "the", "their", "them", "there", "ticket", "tickets", "to",
    "us", "was", "we", "what", "whats", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your", "article",
    "articles", "base", "current", "now", "today", "work", "works",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """name: as the demo service calls the tool, or the full name of another service's."""

    name: str
    arguments: Mapping[str, Any]


def wishes(asked: str) -> list[Call]:
    """What the first rule that fits wants; nothing where none does."""
    return next((calls for rule in RULES if (calls := rule(asked, asked.lower()))), [])


def _close_ticket(asked: str, lower: str) -> list[Call]:
    ticket = TICKET.search(asked)
    if ticket is None or not re.search(r"\b(close|resolve|solve)", lower):
        return []
    reason = re.search(r"(?:because|resolution|since|:)\s*:?\s*(.{3,})", asked[ticket.end() :], re.DOTALL)
    return [Call("close_ticket", {"id": ticket[0].upper(), "resolution": reason[1].strip() if reason else "Closed at the user's request."})]


def _delete_customer(asked: str, lower: str) -> list[Call]:
    customer = CUSTOMER.search(asked)
    if not re.search(r"\b(delete|remove|erase)\b", lower) or not (customer or "customer" in lower):
        return []
    if customer is None:
        return [Call("find_customers", {"query": _keyword(lower, besides=("delete", "remove", "erase"))})]
    return [Call("delete_customer", {"id": customer[0].upper()})]


def _create_ticket(asked: str, lower: str) -> list[Call]:
    customer = CUSTOMER.search(asked)
    if customer is None or not re.search(r"\b(create|open|file|raise|new)\b.*\bticket\b", lower):
        return []
    title = asked.partition(":")[2].strip() or "Opened from the chat"
    priority = next((word for word in PRIORITIES if re.search(rf"\b{word}\b", lower)), "normal")
    return [Call("create_ticket", {"title": title[:200], "customer_id": customer[0].upper(), "priority": priority})]


def _overview(asked: str, lower: str) -> list[Call]:
    both = "ticket" in lower and "customer" in lower
    if not both and not re.search(r"\b(overview|summary|dashboard|both)\b", lower):
        return []
    return [Call("search_tickets", _status(lower)), Call("find_customers", {})]


def _one_record(asked: str, lower: str) -> list[Call]:
    for pattern, name in ((TICKET, "get_ticket"), (CUSTOMER, "get_customer"), (ARTICLE, "get_article")):
        ids = list(dict.fromkeys(match.upper() for match in pattern.findall(asked)))
        if ids:
            return [Call(name, {"id": record}) for record in ids[:4]]
    return []


def _tickets(asked: str, lower: str) -> list[Call]:
    if "ticket" not in lower:
        return []
    query = _keyword(lower, besides=STATUSES)
    return [Call("search_tickets", {**({"query": query} if query else {}), **_status(lower)})]


def _customers(asked: str, lower: str) -> list[Call]:
    if "customer" not in lower:
        return []
    query = _keyword(lower)
    return [Call("find_customers", {"query": query} if query else {})]


def _articles(asked: str, lower: str) -> list[Call]:
    if not re.search(r"\b(policy|policies|how|knowledge|article|articles|guide|docs)\b", lower):
        return []
    query = _keyword(lower)
    return [Call("search_articles", {"query": query})] if query else []


def _status(lower: str) -> dict[str, str]:
    return next(({"status": word} for word in STATUSES if re.search(rf"\b{word}\b", lower)), {})


def _keyword(lower: str, besides: Sequence[str] = ()) -> str:
    """The longest word that says what the question is about; the demo's searches want every word to occur, so one is best."""
    words = [word.strip("-'") for word in re.findall(r"[\w'-]+", lower)]
    telling = [word for word in words if len(word) > 2 and word not in _FILLER and word not in besides]
    return max(telling, key=len, default="")


RULES: tuple[Callable[[str, str], list[Call]], ...] = (
    _close_ticket,
    _delete_customer,
    _create_ticket,
    _overview,
    _one_record,
    _tickets,
    _customers,
    _articles,
)
