"""Small files of every kind, made byte by byte: enough for whoever looks at a header."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 2, height: int = 3, shade: int = 0) -> bytes:
    """A whole one, as long as it is small: its pixels are all of one shade."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + bytes([shade]) * width) * min(height, 1000)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width: int = 2, height: int = 3, *, before: bytes = b"") -> bytes:
    """before: segments between the first one and the frame."""
    jfif = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    frame = b"\xff\xc2\x00\x0b\x08" + struct.pack(">HH", height, width) + b"\x01\x01\x11\x00"
    return b"\xff\xd8" + jfif + before + frame + b"\xff\xd9"


def gif(width: int = 2, height: int = 3) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x00\x00\x00;"


def webp(kind: bytes = b"VP8X", width: int = 2, height: int = 3) -> bytes:
    body = {
        b"VP8X": b"\x00\x00\x00\x00" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little"),
        b"VP8L": b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(5),
        b"VP8 ": b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", width, height),
    }[kind]
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def brand(name: bytes) -> bytes:
    return b"\x00\x00\x00\x18ftyp" + name + b"\x00\x00\x02\x00isommp41" + bytes(40)


PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer<<>>\n%%EOF\n"
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data\x00\x00\x00\x00"
MP3 = b"\xff\xfb\x90\x64" + bytes(400)
MP3_WITH_TAGS = b"ID3\x04\x00\x00\x00\x00\x00\x00" + MP3
AAC = b"\xff\xf1\x50\x80\x03\xdf\xfc" + bytes(20)
FLAC = b"fLaC\x00\x00\x00\x22" + bytes(34)
OPUS = b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead\x01\x02" + bytes(10)
THEORA = b"OggS\x00\x02" + bytes(20) + b"\x01\x2a\x80theora" + bytes(10)
WEBM = b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm" + bytes(20) + b"\x86\x85V_VP9" + b"\x86\x86A_OPUS"
WEBM_SOUND = b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm" + bytes(20) + b"\x86\x86A_OPUS"
MATROSKA = b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska" + bytes(20)
