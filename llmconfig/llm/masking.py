"""Finds known secrets in text, however they are written there, and masks them; and knows which secrets are open in this process.

What is open is known by weak references: to watch a secret keeps it no longer. Its spellings are forgotten with it.
"""

from __future__ import annotations

import html
import json
import re
import threading
import weakref
from base64 import b64encode
from itertools import product
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote, quote_plus

from llmconfig.llm.secret import MASK, Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHORTEST: Final = 6
"""Below this a secret is a word that may stand in any sentence; masking it would garble the text and hide nothing."""
TELLING: Final = 12
"""So many first characters of a longer secret are masked, too, with all that follows of it: messages are cut, keys are echoed in part."""
WATCHED: Final = 1024
"""So many at once at most; the oldest go first."""
_STRIDE: Final = 4
_GRAM: Final = TELLING - _STRIDE + 1
_LONGEST: Final = 20_000
_PIECE: Final = 16
_PRINTABLE: Final = re.compile(rf"[!-~]{{{TELLING}}}")
_SCHEME: Final = re.compile(r"(?:bearer|basic|token)\s+", re.IGNORECASE)
_HOLDS_A_SECRET: Final = re.compile(r"key|secret|password|(?<!_)token$|_token$", re.IGNORECASE)
_FRAME: Final = ("{", "[", "-----")
_LOWER_ESCAPES: Final = re.compile(r"%[0-9A-F]{2}")


class Masker:
    """Masks these secrets. `mask` costs time by the length of the text, hardly by the number of secrets."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        written = {form for secret in secrets for text in _texts(secret.reveal()) for form in _spellings(text)}
        self._begun: dict[str, list[str]] = {}
        whole: list[str] = []
        for form in sorted(written, key=len, reverse=True):
            if _PRINTABLE.match(form) and not form.startswith(_FRAME):
                self._begun.setdefault(form[:TELLING], []).append(form)
            else:
                whole.append(form)
        self._whole = tuple(whole)
        # Wherever twelve characters begin, nine of them begin at the next fourth place: looking there alone is enough to find nothing.
        self._grams = {begun[shift : shift + _GRAM] for begun in self._begun for shift in range(_STRIDE)}

    def mask(self, text: str) -> str:
        for form in self._whole:
            if form in text:
                text = text.replace(form, MASK)
        if self._grams.isdisjoint([text[at : at + _GRAM] for at in range(0, len(text) - _GRAM + 1, _STRIDE)]):
            return text
        begun = self._begun
        found = [at for at in range(len(text) - TELLING + 1) if text[at : at + TELLING] in begun]
        return self._without(found, text) if found else text

    def _without(self, found: list[int], text: str) -> str:
        kept: list[str] = []
        end = 0
        for at in found:
            if at >= end:
                kept += (text[end:at], MASK)
                end = at + max(_shared(text, at, form) for form in self._begun[text[at : at + TELLING]])
        return "".join((*kept, text[end:]))


def _shared(text: str, at: int, form: str) -> int:
    """How much of `form` stands at this place."""
    if text.startswith(form, at):
        return len(form)
    pairs = enumerate(zip(text[at : at + len(form)], form, strict=False))
    return next((size for size, (one, other) in pairs if one != other), len(text) - at)


def _texts(text: str) -> Iterator[str]:
    """The secret, and what of it is one when it stands alone: a token behind its scheme, the key in a JSON document, a PEM's lines."""
    if not SHORTEST <= len(text) <= _LONGEST:
        return
    yield text
    if scheme := _SCHEME.match(text):
        yield from _texts(text[scheme.end() :])
    elif text.startswith("{"):
        for inner in _secrets_in(text):
            yield from _texts(inner)
    elif "PRIVATE KEY" in text:
        yield " ".join(text.split())
        yield from (line for line in text.split() if len(line) >= _PIECE)


def _secrets_in(document: str) -> list[str]:
    try:
        value: object = json.loads(document)
    except (ValueError, RecursionError):
        return []
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return [inner for name, inner in fields.items() if isinstance(inner, str) and _HOLDS_A_SECRET.search(name)]


def _spellings(text: str) -> set[str]:
    """As JSON (within JSON, too), Python, a URL or HTML writes it, in hex, and in base64 wherever in a longer text it begins."""
    escaped, raw = json.dumps(text)[1:-1], text.encode("utf-8", "replace")
    urls = {quote(text, safe="", errors="replace"), quote(text, errors="replace"), quote_plus(text, errors="replace")}
    urls |= {_LOWER_ESCAPES.sub(lambda found: found[0].lower(), url) for url in urls}
    plain = {text, escaped, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(escaped)[1:-1], repr(text)[1:-1], html.escape(text)}
    forms = plain | urls | {raw.hex(), *_in_base64(raw)}
    return {form for form in forms if len(form) >= SHORTEST}


def _in_base64(raw: bytes) -> Iterator[str]:
    whole = b64encode(raw)
    forms = [whole, whole.rstrip(b"=")]
    for before in range(3):  # the first and last characters may hold bits of what stands beside it
        encoded = b64encode(bytes(before) + raw).rstrip(b"=")
        forms.append(encoded[(0, 2, 3)[before] : len(encoded) - (1 if (before + len(raw)) % 3 else 0)])
    for form, url_safe in product(forms, (False, True)):
        text = form.decode()
        yield text.replace("+", "-").replace("/", "_") if url_safe else text


# What is open in this process

_watched: dict[int, weakref.ref[Secret]] = {}
_building = threading.Lock()
_generation = 0
_masker: Masker | None = None


def watch(secret: Secret) -> None:
    """Mask this secret in whatever the process logs, for as long as somebody holds it."""
    if len(secret) < SHORTEST or id(secret) in _watched:
        return
    name = id(secret)

    def forget(_: weakref.ref[Secret]) -> None:
        _watched.pop(name, None)  # called before another object can have this id
        _changed()

    _watched[name] = weakref.ref(secret, forget)
    if len(_watched) > WATCHED:
        _watched.pop(next(iter(_watched)), None)
    _changed()


def mask_open(text: str) -> str:
    """text without the secrets that are watched."""
    masker = _masker
    if masker is None:
        if not _watched:
            return text
        masker = _built()
    return masker.mask(text)


def _built() -> Masker:
    global _masker
    with _building:
        generation = _generation
        # A list of values is made in one step, which no secret's end can disturb.
        masker = Masker([secret for ref in list(_watched.values()) if (secret := ref()) is not None])
        if generation == _generation:  # else a secret has come or gone meanwhile
            _masker = masker
        return masker


def _changed() -> None:
    global _generation, _masker
    _generation += 1
    _masker = None
