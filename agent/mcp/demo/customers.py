"""The customer register: find, read and delete customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from typing_extensions import TypedDict

from agent.mcp.demo.hints import DESTROYS, READS
from agent.mcp.demo.store import matches, number_of

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from agent.mcp.demo.store import Record, Store

KIND, PREFIX, FIRST = "customer", "C", 201
Plan = Literal["starter", "team", "business"]


class Customer(TypedDict):
    id: str
    name: str
    email: str
    plan: Plan
    seats: int
    country: str
    since: str
    notes: str


class CustomerList(TypedDict):
    count: int
    customers: list[Customer]


class Deletion(TypedDict):
    deleted: str
    name: str


def _row(name: str, email: str, plan: str, seats: int, country: str, since: str, notes: str = "") -> Record:
    return {"name": name, "email": email, "plan": plan, "seats": seats, "country": country, "since": since, "notes": notes}


SEED = (
    _row("Harbour & Pine Studio", "accounts@harbour-pine.example", "team", 12, "IE", "2023-05-11", "Pays by card; invoices in EUR."),
    _row("Northlight Clinics", "it@northlight.example", "business", 180, "SE", "2022-09-01", "SAML sign-in, own identity provider."),
    _row("Tallgrass Seeds", "data@tallgrass.example", "business", 64, "US", "2021-02-17", "Large exports every month."),
    _row("Quayside Legal", "office@quayside-legal.example", "team", 9, "GB", "2024-01-22"),
    _row("Orchard Audit Partners", "desk@orchard-audit.example", "starter", 3, "NL", "2025-10-02", "On trial terms until April."),
    _row("Bluebell Ceramics", "hello@bluebell.example", "starter", 2, "PT", "2025-06-30"),
    _row("Kestrel Robotics", "platform@kestrel.example", "business", 95, "DE", "2023-11-08", "Heavy use of webhooks and the API."),
    _row("Meridian Housing Trust", "security@meridian.example", "business", 240, "GB", "2020-07-14", "Yearly security review in March."),
    _row("Saltmarsh Breweries", "finance@saltmarsh.example", "team", 25, "BE", "2022-03-29", "Went from 40 to 25 seats in February 2026."),
    _row("Lantern Public Library", "systems@lantern.example", "team", 31, "CA", "2024-08-19", "Non-profit discount of 30 %."),
)


def register(server: MCPServer, store: Store) -> None:
    from agent.mcp.demo import tickets  # noqa: PLC0415  tickets looks customers up, and deletion asks tickets back

    store.seed(KIND, FIRST, SEED)

    @server.tool(title="Find customers", annotations=READS)
    async def find_customers(
        query: Annotated[str, Field(description="Words that must all occur; empty lists every customer.")] = "",
    ) -> CustomerList:
        """Find customers by words in their name, e-mail, plan, country code or notes."""
        found = [
            _full(number, customer)
            for number, customer in store.all(KIND)
            if matches(query, id_of(number), *(str(customer[f]) for f in ("name", "email", "plan", "country", "notes")))
        ]
        return {"count": len(found), "customers": found}

    @server.tool(title="Read a customer", annotations=READS)
    async def get_customer(id: Annotated[str, Field(description="The customer's id, such as C-201.")]) -> Customer:
        """Read one customer's record: plan, seats, contact address and notes."""
        return _full(*find(store, id))

    @server.tool(title="Delete a customer", annotations=DESTROYS)
    async def delete_customer(id: Annotated[str, Field(description="The customer's id, such as C-201.")]) -> Deletion:
        """Delete a customer's record for good. Refused while the customer still has tickets that are not closed."""
        number, customer = find(store, id)
        pending = tickets.open_tickets_of(store, id_of(number))
        if pending:
            raise ToolError(f"{id_of(number)} still has tickets that are not closed: {', '.join(pending)}. Close them first.")
        store.delete(KIND, number)
        return {"deleted": id_of(number), "name": customer["name"]}


def id_of(number: int) -> str:
    return f"{PREFIX}-{number}"


def find(store: Store, text: str) -> tuple[int, Record]:
    number = number_of(PREFIX, text)
    customer = None if number is None else store.get(KIND, number)
    if number is None or customer is None:
        raise ToolError(f"There is no customer {text!r}. Ids look like C-201; find_customers lists them.")
    return number, customer


def _full(number: int, customer: Record) -> Customer:
    return {
        "id": id_of(number),
        "name": customer["name"],
        "email": customer["email"],
        "plan": customer["plan"],
        "seats": customer["seats"],
        "country": customer["country"],
        "since": customer["since"],
        "notes": customer["notes"],
    }
