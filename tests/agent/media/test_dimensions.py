"""Sizes of images out of their headers, and headers that lie."""

from __future__ import annotations

from io import BytesIO

import pytest

from agent.media import Damaged, dimensions
from tests.agent import files

EXIF = b"\xff\xe1\xff\xff" + bytes(0xFFFF - 2)
TABLES = b"\xff\xc4\x00\x04\x00\x00\xff\xff\xdb\x00\x03\x00\xff\xd0\xff\x01"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (files.png(640, 480), "image/png"),
        (files.jpeg(640, 480), "image/jpeg"),
        (files.jpeg(640, 480, before=EXIF * 3 + TABLES), "image/jpeg"),
        (files.gif(640, 480), "image/gif"),
        (files.webp(b"VP8X", 640, 480), "image/webp"),
        (files.webp(b"VP8L", 640, 480), "image/webp"),
        (files.webp(b"VP8 ", 640, 480), "image/webp"),
    ],
)
def test_width_comes_before_height(data: bytes, media_type: str) -> None:
    assert dimensions(BytesIO(data), media_type) == (640, 480)
    for end in range(24 if media_type == "image/png" else 10):
        with pytest.raises(Damaged):
            dimensions(BytesIO(data[:end]), media_type)


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (files.png(0, 5), "image/png"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIDAT" + bytes(20), "image/png"),
        (files.gif(5, 0), "image/gif"),
        (b"\xff\xd8\x00\x00\x00\x00", "image/jpeg"),
        (b"\xff\xd8\xff\xe0\x00\x01", "image/jpeg"),
        (b"\xff\xd8" + b"\xff\xd0" * 600, "image/jpeg"),
        (files.webp().replace(b"VP8X", b"VP8?"), "image/webp"),
        (files.webp(b"VP8L").replace(b"\x2f", b"\x00"), "image/webp"),
        (files.webp(b"VP8 ").replace(b"\x9d\x01\x2a", b"\x00\x00\x00"), "image/webp"),
    ],
)
def test_a_header_without_a_size_is_damaged(data: bytes, media_type: str) -> None:
    with pytest.raises(Damaged):
        dimensions(BytesIO(data), media_type)
