"""MiniStack's DynamoDB, spared the work that it does again for every item.

What it answers stays the same. `tests/stack` and the crash proof ask it as well.
"""

import functools
from collections.abc import Callable
from typing import Any

from ministack.services import _dynamodb_keywords, dynamodb

type _Item = dict[str, Any]

# Functions of their arguments alone, whose results nobody changes: parsers of conditions and of
# statements, and the bytes that a number takes.
PURE = (
    (dynamodb, "_tokenize"),
    (dynamodb, "_condition_syntax_error"),
    (dynamodb, "_number_size_bytes"),
    (_dynamodb_keywords, "_tokenize"),
)


@functools.cache  # once for a process: what is mended here must not be mended again
def spare_repeated_work() -> None:
    """Mend MiniStack in this process, for all of its tables."""
    remember_what_was_parsed()
    check_a_projection_once()


def remember_what_was_parsed() -> None:
    """MiniStack parses a condition anew for every item of a page, and a statement for every item
    that it changes, twice: most of a query and of a write."""
    for module, name in PURE:
        function = getattr(module, name)
        assert not hasattr(function, "cache_info"), "MiniStack remembers by itself by now"
        setattr(module, name, functools.lru_cache(maxsize=4096)(function))


def check_a_projection_once() -> None:
    """MiniStack parses a projection anew for every item, and compares each of its paths with all
    others."""
    project: Callable[[_Item, str, dict[str, str]], _Item] = dynamodb._project_item
    assert "AWS_KEYWORDS" in project.__code__.co_names, "MiniStack checks projections elsewhere"

    @functools.lru_cache
    def plain(expression: str, names: frozenset[tuple[str, str]]) -> tuple[str, ...] | None:
        """The attributes that a projection names, if it names whole ones only.

        Raises ValueError for a projection that DynamoDB refuses.
        """
        project({}, expression, dict(names))
        paths = [path.strip() for path in expression.split(",") if path.strip()]
        if any(mark in path for path in paths for mark in ".["):
            return None
        return tuple(dict(names).get(path, path) for path in paths)

    def project_plainly(item: _Item, expression: str, names: dict[str, str] | None) -> _Item:
        wanted = plain(expression, frozenset((names or {}).items())) if expression else None
        if wanted is None:
            return project(item, expression, names or {})
        return {name: item[name] for name in wanted if name in item}

    dynamodb._project_item = project_plainly
