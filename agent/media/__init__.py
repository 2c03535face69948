"""What a file is, told from its bytes alone."""

from agent.media.dimensions import Damaged, dimensions
from agent.media.sniffing import Sniffed, Unknown, is_text, sniff

__all__ = ["Damaged", "Sniffed", "Unknown", "dimensions", "is_text", "sniff"]
