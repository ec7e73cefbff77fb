"""Which requests of a batch are accounted for: one bit each, 12.5 KB for 100,000 requests."""

from collections.abc import Iterable


class Bitmap:
    """A set of ordinals 0 to size - 1."""

    def __init__(self, size: int, raw: bytes = b"") -> None:
        self._size = size
        self._bits = bytearray(raw.ljust((size + 7) // 8, b"\0"))

    def __contains__(self, ordinal: int) -> bool:
        return bool(self._bits[ordinal >> 3] >> (ordinal & 7) & 1)

    def __len__(self) -> int:
        return int.from_bytes(self._bits).bit_count()

    def __bytes__(self) -> bytes:
        return bytes(self._bits)

    def add(self, ordinals: Iterable[int]) -> None:
        for ordinal in ordinals:
            self._bits[ordinal >> 3] |= 1 << (ordinal & 7)

    @property
    def full(self) -> bool:
        return len(self) == self._size
