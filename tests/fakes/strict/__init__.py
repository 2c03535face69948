"""What the vendors refuse in the history of a request: `objection(body)` of each module says it in its vendor's words, or "".

A seal (a signature, encrypted reasoning) is a digest of whose it is and what it seals, so that a check needs no memory: one that another
vendor or model made, or whose text was changed by a letter, does not fit.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256


def seal(vendor: str, model: str, text: str) -> str:
    return b64encode(sha256(f"{vendor}|{model}|{text}".encode()).digest()).decode()
