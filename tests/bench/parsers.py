"""The JSON parsers to choose from, over results in a file."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
from msgspec import Struct

from tests.bench import child


class Usage(Struct):
    input_tokens: int
    output_tokens: int


class Block(Struct):
    type: str
    text: str = ""


class Message(Struct):
    model: str
    stop_reason: str
    content: list[Block]
    usage: Usage


class Result(Struct):
    type: str
    message: Message | None = None


class Line(Struct):
    """The fields of a result that Nightshift reads."""

    custom_id: str
    result: Result


def parse(path: str) -> dict[str, float]:
    """Microseconds a line of each parser: the best of five."""
    lines = Path(path).read_bytes().splitlines()
    parsers = {
        "json": json.loads,
        "orjson": orjson.loads,
        "msgspec": msgspec.json.decode,
        "msgspec, typed": msgspec.json.Decoder(Line).decode,
    }
    return {
        name: min(_microseconds(parser, lines) for _ in range(5))
        for name, parser in parsers.items()
    }


def _microseconds(parser: Callable[[bytes], Any], lines: list[bytes]) -> float:
    began = time.perf_counter()
    for line in lines:
        parser(line)
    return (time.perf_counter() - began) / len(lines) * 1e6


if __name__ == "__main__":
    child.run(parse)
