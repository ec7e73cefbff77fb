"""How the bytes of a file are text: compressed or not, and in which encoding."""

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO, TextIO, cast

# Bytes that were read at once to find the encoding.
_BLOCK = 1 << 20
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# Python's way to keep a byte that is not UTF-8 in a string.
_BROKEN = re.compile("[\udc80-\udcff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f\udc80-\udcff]")
UTF_8, WINDOWS = "utf-8-sig", "cp1252"
NAMES = {UTF_8: "UTF-8", WINDOWS: "Windows-1252", "utf-16": "UTF-16"}
"""What people call the encodings."""
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)
"""What reading a compressed file raises where it is cut off or damaged."""


def encoding_of(path: Path) -> str:
    """The encoding of a file: UTF-16 where a byte order mark says so, else UTF-8.

    Where bytes beyond ASCII are nowhere UTF-8, it is Windows-1252, as spreadsheets on Windows
    write it. Where some are UTF-8, a few broken bytes spoil their own lines only.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    broken = False
    try:
        with _opened(path) as file:
            start = file.read(_BLOCK)
            for mark, name in _MARKS.items():
                if start.startswith(mark):
                    return name
            block = start.removeprefix(codecs.BOM_UTF8)
            while block:
                text = decoder.decode(block)
                if _BEYOND_ASCII.search(text):
                    return UTF_8
                broken = broken or _BROKEN.search(text) is not None
                block = file.read(_BLOCK)
    except DAMAGED:
        pass  # whoever reads the lines says so, with the line
    return WINDOWS if broken else UTF_8


@contextmanager
def opened(path: Path, encoding: str) -> Iterator[TextIO]:
    """A file as text, with its line ends as they are. What is not in the encoding stays in the
    strings as lone surrogates."""
    errors = "replace" if encoding == "utf-16" else "surrogateescape"
    with (
        _opened(path) as file,
        TextIOWrapper(file, encoding=encoding, errors=errors, newline="") as text,
    ):
        yield text


def _opened(path: Path) -> BinaryIO:
    file = gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb")
    return cast(BinaryIO, file)  # which it is in all but its name
