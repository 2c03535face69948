"""Width and height of an image, read from its header. Nothing is decoded: an image may be small as a file and vast as pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

_MAX_SEGMENTS = 500
_START_OF_FRAME = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


class Damaged(ValueError):
    """The header does not say how large the image is."""


def dimensions(file: BinaryIO, media_type: str) -> tuple[int, int]:
    """(width, height) in pixels of a PNG, JPEG, GIF or WebP. Raises Damaged."""
    file.seek(0)
    read = {"image/png": _png, "image/jpeg": _jpeg, "image/gif": _gif, "image/webp": _webp}[media_type]
    width, height = read(file)
    if not width or not height:
        raise Damaged
    return width, height


def _png(file: BinaryIO) -> tuple[int, int]:
    head = _exactly(file, 24)
    if head[12:16] != b"IHDR":
        raise Damaged
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def _gif(file: BinaryIO) -> tuple[int, int]:
    head = _exactly(file, 10)
    return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")


def _jpeg(file: BinaryIO) -> tuple[int, int]:
    file.seek(2)
    for _ in range(_MAX_SEGMENTS):
        if _exactly(file, 1) != b"\xff":
            raise Damaged
        marker = 0xFF
        while marker == 0xFF:
            marker = _exactly(file, 1)[0]
        if marker in _WITHOUT_LENGTH:
            continue
        length = int.from_bytes(_exactly(file, 2), "big")
        if marker in _START_OF_FRAME:
            frame = _exactly(file, 5)
            return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
        if length < 2:
            raise Damaged
        file.seek(length - 2, 1)
    raise Damaged


def _webp(file: BinaryIO) -> tuple[int, int]:
    head = _exactly(file, 30)
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L" if head[20] == 0x2F:
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 " if head[23:26] == b"\x9d\x01\x2a":
            return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
        case _:
            raise Damaged


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise Damaged
    return data
