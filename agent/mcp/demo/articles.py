"""The knowledge base: search and read help articles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from typing_extensions import TypedDict

from agent.mcp.demo.hints import READS
from agent.mcp.demo.store import matches, number_of

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

    from agent.mcp.demo.store import Record, Store

KIND, PREFIX, FIRST = "article", "A", 1
_SNIPPET = 120


class Article(TypedDict):
    id: str
    title: str
    updated: str
    text: str


class ArticleHit(TypedDict):
    id: str
    title: str
    snippet: str


class ArticleList(TypedDict):
    count: int
    articles: list[ArticleHit]


def _row(title: str, updated: str, text: str) -> Record:
    return {"title": title, "updated": updated, "text": text}


SEED = (
    _row("Export your data", "2026-01-15", "Exports run in the background and arrive by e-mail. A CSV export holds up to 10,000 rows; "
         "larger ones are split into numbered files when “Split large exports” is on (Settings → Data). It is off by default."),
    _row("Refunds and double charges", "2025-12-02", "A card charged twice for one invoice is refunded within five working days after "
         "support confirms both charges. Seats removed during a month are credited on the next invoice, not refunded."),
    _row("Single sign-on with SAML", "2026-02-08", "After your identity provider's certificate changes, upload the new one under "
         "Settings → Security → SAML before the old one ends. Sign-in loops mean that the stored certificate does not match. "
         "Owners can sign in with their password at /owner-sign-in in the meantime."),
    _row("Guest seats", "2025-11-20", "Guests see only the projects they are invited to. Each plan has five guests; more cost half a seat. "
         "Invite them under Project → Share → Guest."),
    _row("Webhooks: retries and disabling", "2026-02-27", "A delivery is retried six times over 24 hours. An answer of 410 Gone disables "
         "the webhook at once. Turn it on again under Settings → Webhooks after your endpoint answers 2xx."),
    _row("API tokens", "2026-03-01", "A revoked token stops working within five minutes, as edge servers keep their decisions that long. "
         "For an immediate stop, suspend the service account as well."),
    _row("Change your plan or billing address", "2025-10-11", "Owners change the plan and the billing address under Settings → Billing. "
         "A new address shows on the next invoice; issued invoices are not changed."),
    _row("Delete a project", "2025-09-05", "A project can be deleted when it holds no tasks, archived ones included. Empty the archive "
         "under Project → Archive → Remove all first. Deleted projects can be restored for 30 days."),
)  # fmt: skip


def register(server: MCPServer, store: Store) -> None:
    store.seed(KIND, FIRST, SEED)

    @server.tool(title="Search articles", annotations=READS)
    async def search_articles(
        query: Annotated[str, Field(description="Words that must all occur in the article; few words find more.")],
    ) -> ArticleList:
        """Search the help articles. Answers give the beginning of each; read one in full with get_article."""
        found = [_hit(number, article) for number, article in store.all(KIND) if matches(query, article["title"], article["text"])]
        return {"count": len(found), "articles": found}

    @server.tool(title="Read an article", annotations=READS)
    async def get_article(id: Annotated[str, Field(description="The article's id, such as A-1.")]) -> Article:
        """Read one help article in full."""
        number = number_of(PREFIX, id)
        article = None if number is None else store.get(KIND, number)
        if number is None or article is None:
            raise ToolError(f"There is no article {id!r}. Ids look like A-1; search_articles finds them.")
        return {"id": f"{PREFIX}-{number}", "title": article["title"], "updated": article["updated"], "text": article["text"]}


def _hit(number: int, article: Record) -> ArticleHit:
    text = article["text"]
    snippet = text if len(text) <= _SNIPPET else f"{text[:_SNIPPET].rsplit(' ', 1)[0]} …"
    return {"id": f"{PREFIX}-{number}", "title": article["title"], "snippet": snippet}
