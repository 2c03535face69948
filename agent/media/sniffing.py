"""What kind of media a file holds, by its own bytes. A name or a declared type never decides that.

What is taken is a short list with exact signatures, so that no byte of a file is served as a type that a browser would run.
Everything else that is plain UTF-8 is a text document, HTML, SVG and source code included: it is read and served as text.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import BinaryIO

    from llmconfig.llm import MediaKind

_HEAD: Final = 4096
_CHUNK: Final = 256 * 1024
_CONTROLS: Final = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x1b") + b"\x7f"
_TEXT_NAMES: Final = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".csv": "text/csv",
    ".json": "application/json",
}
_OGG_AUDIO: Final = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_MP4_AUDIO: Final = frozenset({b"M4A ", b"M4B ", b"M4P "})
_MP4_VIDEO: Final = frozenset({b"isom", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ", b"M4VP", b"MSNV", b"iso2", b"iso4", b"iso5", b"iso6"})
_SUFFIXES: Final = {
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "application/pdf": ".pdf",
    "audio/wav": ".wav",
    "audio/mpeg": ".mp3",
    "audio/mp4": ".m4a",
    "audio/aac": ".aac",
    "audio/ogg": ".ogg",
    "audio/flac": ".flac",
    "audio/webm": ".webm",
    "video/mp4": ".mp4",
    "video/webm": ".webm",
    "video/quicktime": ".mov",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/json": ".json",
}


class Unknown(ValueError):
    """Nothing that is taken. `looks_like`: what it seems to be, in English words; "" where nothing knows it."""

    def __init__(self, looks_like: str) -> None:
        super().__init__(looks_like)
        self.looks_like = looks_like


@dataclass(frozen=True, slots=True)
class Sniffed:
    kind: MediaKind
    media_type: str

    @property
    def suffix(self) -> str:
        return _SUFFIXES.get(self.media_type, ".txt")


def is_text(media_type: str) -> bool:
    """A document that every model reads, as text."""
    return media_type.startswith("text/") or media_type == "application/json"


def sniff(file: BinaryIO, name: str = "") -> Sniffed:
    """name: only tells Markdown, CSV and JSON from other text. Reads the whole file where that is text. Raises Unknown."""
    file.seek(0)
    head = file.read(_HEAD)
    for recognize in (_image, _document, _audio, _riff, _iso_media, _matroska, _ogg):
        if found := recognize(head):
            return found
    if _is_plain_text(file, head):
        return Sniffed("document", _TEXT_NAMES.get(_suffix_of(name), "text/plain"))
    raise Unknown(_words_for(head))


def _image(head: bytes) -> Sniffed | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return Sniffed("image", "image/png")
    if head.startswith(b"\xff\xd8\xff"):
        return Sniffed("image", "image/jpeg")
    if head.startswith((b"GIF87a", b"GIF89a")):
        return Sniffed("image", "image/gif")
    return None


def _document(head: bytes) -> Sniffed | None:
    return Sniffed("document", "application/pdf") if head.startswith(b"%PDF-") else None


def _audio(head: bytes) -> Sniffed | None:
    if head.startswith(b"fLaC"):
        return Sniffed("audio", "audio/flac")
    if head.startswith(b"ID3"):
        return Sniffed("audio", "audio/mpeg")
    if len(head) < 4 or head[0] != 0xFF:
        return None
    if head[1] & 0xF6 == 0xF0:
        return Sniffed("audio", "audio/aac")
    is_layer_3 = head[1] & 0xE6 == 0xE2 and head[1] & 0x18 != 0x08
    has_rates = head[2] & 0xF0 not in (0x00, 0xF0) and head[2] & 0x0C != 0x0C
    return Sniffed("audio", "audio/mpeg") if is_layer_3 and has_rates else None


def _riff(head: bytes) -> Sniffed | None:
    if head[:4] != b"RIFF":
        return None
    kinds = {b"WEBP": Sniffed("image", "image/webp"), b"WAVE": Sniffed("audio", "audio/wav")}
    return kinds.get(head[8:12])


def _iso_media(head: bytes) -> Sniffed | None:
    """MP4's family, by its major brand. HEIC and AVIF are of it, too, and are not taken."""
    if head[4:8] != b"ftyp":
        return None
    brand = head[8:12]
    if brand == b"qt  ":
        return Sniffed("video", "video/quicktime")
    if brand in _MP4_AUDIO:
        return Sniffed("audio", "audio/mp4")
    return Sniffed("video", "video/mp4") if brand in _MP4_VIDEO else None


def _matroska(head: bytes) -> Sniffed | None:
    """WebM, which is what a browser records; Matroska at large is not taken. Without a video track it is sound."""
    if not head.startswith(b"\x1aE\xdf\xa3") or b"webm" not in head[:64]:
        return None
    only_sound = b"A_" in head and b"V_" not in head
    return Sniffed("audio", "audio/webm") if only_sound else Sniffed("video", "video/webm")


def _ogg(head: bytes) -> Sniffed | None:
    if not head.startswith(b"OggS"):
        return None
    return Sniffed("audio", "audio/ogg") if any(codec in head[:512] for codec in _OGG_AUDIO) else None


def _is_plain_text(file: BinaryIO, head: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = head
    try:
        while chunk:
            if chunk.translate(None, _CONTROLS) != chunk:
                return False
            decoder.decode(chunk)
            chunk = file.read(_CHUNK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return bool(head)


def _suffix_of(name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    return f".{suffix.lower()}" if stem and dot else ""


def _words_for(head: bytes) -> str:
    """puremagic knows thousands of formats by their first bytes. It guesses, which is enough for a message and for nothing else."""
    import puremagic  # noqa: PLC0415  # its table takes longer to load than most requests

    try:
        guesses = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return ""
    return next((guess.name for guess in guesses if guess.name), "")
