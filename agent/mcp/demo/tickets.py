"""The ticket desk: search, read, open and close support tickets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from typing_extensions import TypedDict

from agent.mcp.demo import customers
from agent.mcp.demo.hints import ADDS, DESTROYS, READS
from agent.mcp.demo.store import matches, number_of

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from agent.mcp.demo.store import Record, Store

KIND, PREFIX, FIRST = "ticket", "T", 1030
Priority = Literal["low", "normal", "high", "urgent"]
Status = Literal["open", "waiting", "closed"]


class Ticket(TypedDict):
    id: str
    title: str
    customer_id: str
    priority: Priority
    status: Status
    opened: str
    body: str
    resolution: str | None


class TicketSummary(TypedDict):
    id: str
    title: str
    customer_id: str
    priority: Priority
    status: Status
    opened: str


class TicketList(TypedDict):
    count: int
    tickets: list[TicketSummary]


def _row(title: str, customer_id: str, priority: str, status: str, opened: str, body: str, resolution: str | None = None) -> Record:
    return {
        "title": title,
        "customer_id": customer_id,
        "priority": priority,
        "status": status,
        "opened": opened,
        "body": body,
        "resolution": resolution,
    }


SEED = (
    _row("CSV export stops at 10,000 rows", "C-203", "high", "open", "2026-03-02", "The monthly export of contacts ends after 10,000 rows "
         "without a warning. We have 14,212 contacts."),
    _row("Invoice 8841 charged twice", "C-201", "urgent", "open", "2026-03-03", "Our card shows two charges of 480.00 EUR on 1 March, both "
         "with the reference INV-8841. Please refund one of them."),
    _row("Webhook deliveries fail with 410", "C-207", "high", "open", "2026-03-03", "Since Monday all webhooks to our staging host answer "
         "410 and are then disabled. The host is fine when we call it ourselves."),
    _row("How do we invite guests?", "C-205", "low", "closed", "2026-02-19", "We want an auditor to see two projects, nothing else.",
         "Explained guest seats and linked article A-4."),
    _row("SAML sign-in loops after certificate change", "C-202", "urgent", "open", "2026-03-04", "We rotated the certificate of our "
         "identity provider last night. Since then every sign-in returns to the start page."),
    _row("Dashboard slow on Monday mornings", "C-210", "normal", "waiting", "2026-02-24", "Between 8 and 9 the overview takes 20 to 30 "
         "seconds. Later in the day it is quick."),
    _row("Change billing address", "C-204", "normal", "closed", "2026-02-12", "We moved. New address: 14 Quay Street, unit 3.",
         "Address changed; next invoice carries it."),
    _row("API token revoked but still works", "C-208", "urgent", "open", "2026-03-05", "We revoked a token at 09:10, and a request with it "
         "still answered 200 at 09:14."),
    _row("Dark mode hides the chart legend", "C-206", "low", "open", "2026-02-27", "Legend text is dark grey on black in the usage chart."),
    _row("Request: export to Parquet", "C-203", "low", "waiting", "2026-01-30", "CSV of our size is unpleasant. Parquet would be welcome."),
    _row("Refund for unused seats", "C-209", "normal", "open", "2026-03-01", "We went from 40 to 25 seats in February but were billed for "
         "40 in March."),
    _row("Cannot delete a project with archived tasks", "C-201", "normal", "open", "2026-02-28", "The delete button answers “project is "
         "not empty”, although only archived tasks are left."),
)  # fmt: skip


def register(server: MCPServer, store: Store) -> None:
    store.seed(KIND, FIRST, SEED)

    @server.tool(title="Search tickets", annotations=READS)
    async def search_tickets(
        query: Annotated[str, Field(description="Words that must all occur in the ticket; empty finds every ticket.")] = "",
        status: Annotated[Status | None, Field(description="Only tickets with this status.")] = None,
    ) -> TicketList:
        """Find support tickets by words in their title, text or customer id, optionally of one status. Use get_ticket for the full text."""
        found = [
            _summary(number, ticket)
            for number, ticket in store.all(KIND)
            if status in (None, ticket["status"])
            and matches(query, _id(number), ticket["title"], ticket["body"], ticket["customer_id"], ticket["priority"])
        ]
        return {"count": len(found), "tickets": found}

    @server.tool(title="Read a ticket", annotations=READS)
    async def get_ticket(id: Annotated[str, Field(description="The ticket's id, such as T-1030.")]) -> Ticket:
        """Read one support ticket in full, with its resolution if it is closed."""
        return _full(*_find(store, id))

    @server.tool(title="Open a ticket", annotations=ADDS)
    async def create_ticket(
        title: Annotated[str, Field(min_length=3, max_length=200, description="What is wrong, in one line.")],
        customer_id: Annotated[str, Field(description="The customer's id, such as C-201; find_customers finds it.")],
        priority: Priority,
    ) -> Ticket:
        """Open a new support ticket for a customer. Each call opens another one."""
        customer, _ = customers.find(store, customer_id)
        record = _row(title.strip(), customers.id_of(customer), priority, "open", datetime.now(UTC).date().isoformat(), "")
        return _full(store.add(KIND, record), record)

    @server.tool(title="Close a ticket", annotations=DESTROYS)
    async def close_ticket(
        id: Annotated[str, Field(description="The ticket's id, such as T-1030.")],
        resolution: Annotated[str, Field(min_length=3, max_length=2000, description="How it was solved; the customer reads this.")],
    ) -> Ticket:
        """Close a support ticket for good and send its resolution to the customer. It cannot be reopened."""
        number, ticket = _find(store, id)
        if ticket["status"] == "closed" and ticket["resolution"] != resolution:
            raise ToolError(f"{_id(number)} is closed already, with the resolution: {ticket['resolution']} Open a new ticket instead.")
        closed = ticket | {"status": "closed", "resolution": resolution}
        store.replace(KIND, number, closed)
        return _full(number, closed)


def open_tickets_of(store: Store, customer_id: str) -> list[str]:
    return [_id(number) for number, t in store.all(KIND) if t["customer_id"] == customer_id and t["status"] != "closed"]


def _id(number: int) -> str:
    return f"{PREFIX}-{number}"


def _find(store: Store, text: str) -> tuple[int, Record]:
    number = number_of(PREFIX, text)
    ticket = None if number is None else store.get(KIND, number)
    if number is None or ticket is None:
        raise ToolError(f"There is no ticket {text!r}. Ids look like T-1030; search_tickets lists them.")
    return number, ticket


def _summary(number: int, ticket: Record) -> TicketSummary:
    return {
        "id": _id(number),
        "title": ticket["title"],
        "customer_id": ticket["customer_id"],
        "priority": ticket["priority"],
        "status": ticket["status"],
        "opened": ticket["opened"],
    }


def _full(number: int, ticket: Record) -> Ticket:
    return {**_summary(number, ticket), "body": ticket["body"], "resolution": ticket["resolution"]}
