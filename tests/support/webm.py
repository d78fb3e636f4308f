"""A film for tests: WebM in which every frame is a key frame, and that has an index to seek by.

Frames come from lossy WebP pictures, which hold the same VP8 frames.
"""

import struct
from collections.abc import Sequence

EBML, VERSION, DOC_TYPE = 0x1A45DFA3, 0x4286, 0x4282
DOC_VERSION, DOC_READ_VERSION = 0x4287, 0x4285
SEGMENT, INFO, SCALE, DURATION = 0x18538067, 0x1549A966, 0x2AD7B1, 0x4489
TRACKS, ENTRY, NUMBER, UID, TYPE, CODEC = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83, 0x86
VIDEO, WIDTH, HEIGHT = 0xE0, 0xB0, 0xBA
CUES, POINT, TIME, PLACES, TRACK, PLACE = 0x1C53BB6B, 0xBB, 0xB3, 0xB7, 0xF7, 0xF1
CLUSTER, TIMECODE, BLOCK, VOID = 0x1F43B675, 0xE7, 0xA3, 0xEC

KEY_FRAME = b"\x81\x00\x00\x80"
"""Track 1, at the time of its cluster, a key frame."""


def element(name: int, content: bytes) -> bytes:
    size = (len(content) | 1 << 56).to_bytes(8)
    return name.to_bytes((name.bit_length() + 7) // 8) + size + content


def number(name: int, value: int) -> bytes:
    return element(name, value.to_bytes(8))


def frame_of(webp: bytes) -> bytes:
    """The VP8 frame in a lossy picture."""
    offset = 12
    while webp[offset : offset + 4] != b"VP8 ":
        offset += 8 + struct.unpack_from("<I", webp, offset + 4)[0] + 1 & ~1
    (size,) = struct.unpack_from("<I", webp, offset + 4)
    return webp[offset + 8 : offset + 8 + size]


def film(frames: Sequence[bytes], width: int, height: int, padding: int) -> bytes:
    """A film that shows each frame for a second. `padding` bytes that mean nothing follow each."""
    start = element(
        EBML,
        number(VERSION, 1)
        + element(DOC_TYPE, b"webm")
        + number(DOC_VERSION, 2)
        + number(DOC_READ_VERSION, 2),
    )
    info = number(SCALE, 1_000_000) + element(DURATION, struct.pack(">d", 1000.0 * len(frames)))
    video = element(VIDEO, number(WIDTH, width) + number(HEIGHT, height))
    track = number(NUMBER, 1) + number(UID, 1) + number(TYPE, 1) + element(CODEC, b"V_VP8") + video
    head = element(INFO, info) + element(TRACKS, element(ENTRY, track))
    clusters = [
        element(CLUSTER, number(TIMECODE, 1000 * second) + element(BLOCK, KEY_FRAME + frame))
        + element(VOID, bytes(padding))
        for second, frame in enumerate(frames)
    ]
    places = [0] * len(clusters)
    at = len(head) + len(index(places))
    for second, cluster in enumerate(clusters):
        places[second] = at
        at += len(cluster)
    return start + element(SEGMENT, b"".join([head, index(places), *clusters]))


def index(places: Sequence[int]) -> bytes:
    """Where the cluster of each second begins, counted from the content of the segment."""
    points = [
        element(
            POINT,
            number(TIME, 1000 * second) + element(PLACES, number(TRACK, 1) + number(PLACE, place)),
        )
        for second, place in enumerate(places)
    ]
    return element(CUES, b"".join(points))
