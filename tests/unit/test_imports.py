"""The edges of the package: who may import what, and that entry points hold no logic."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = sorted((ROOT / "layers" / "nightshift" / "nightshift").glob("**/*.py"))
HANDLERS = sorted((ROOT / "functions").glob("*/app.py"))
SHIPPED = [*PACKAGE, *HANDLERS]


def imported_by(path: Path) -> set[str]:
    """Top-level names of all that a module imports, within functions and `if`s too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively"
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def importers(*packages: str) -> list[str]:
    return [path.name for path in SHIPPED if imported_by(path) & set(packages)]


def test_there_is_a_package_and_three_functions() -> None:
    assert len(PACKAGE) > 20
    assert [path.parent.name for path in HANDLERS] == ["collect", "status", "submit"]


def test_one_module_imports_the_providers_sdk() -> None:
    assert importers("anthropic", "httpx2") == ["client.py"]


def test_one_module_imports_the_aws_sdk() -> None:
    assert importers("boto3", "botocore") == ["aws.py"]


def test_nothing_that_is_shipped_imports_the_tests_or_the_tools() -> None:
    assert importers("tests", "tools", "pytest", "moto", "ministack", "hypothesis") == []


def test_the_pure_core_knows_no_edge() -> None:
    """Which of our own modules they may import, import-linter checks (pyproject.toml)."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    pure = [each["source_modules"] for each in contracts["contracts"] if "pure" in each["name"]]
    names = {name.replace(".", "/") for name in pure[0]}
    paths = [path for path in PACKAGE if {within(path), within(path.parent)} & names]
    world = {"os", "time", "socket", "subprocess", "threading", "urllib"}

    assert len(paths) > len(names)
    for path in paths:
        allowed = {"nightshift", "msgspec", "pydantic", "regex"}
        assert imported_by(path) - sys.stdlib_module_names <= allowed, path
        assert not imported_by(path) & world, path


def within(path: Path) -> str:
    return str(path.relative_to(ROOT / "layers" / "nightshift").with_suffix(""))


def from_the_package(path: Path) -> set[str]:
    """The modules of the package that a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "nightshift":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("nightshift."):
            found.add((node.module or "").removeprefix("nightshift."))
    return found


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_an_entry_point_holds_no_logic(path: Path) -> None:
    tree = ast.parse(path.read_text())
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    branches = (ast.If, ast.For, ast.While, ast.Try, ast.ClassDef, ast.comprehension)

    assert len(path.read_text().splitlines()) <= 25
    assert [function.name for function in functions] == ["lambda_handler"]
    assert not any(isinstance(node, branches) for node in ast.walk(tree))


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: path.parent.name)
def test_an_entry_point_calls_the_use_case_of_its_own_name(path: Path) -> None:
    assert path.parent.name in from_the_package(path)


def test_the_tools_import_no_test() -> None:
    tools = sorted((ROOT / "tools").glob("**/*.py"))

    assert len(tools) > 40
    assert [str(path) for path in tools if "tests" in imported_by(path)] == []


def test_nobody_sets_paths_by_hand() -> None:
    # pytest reads `pythonpath` in pyproject.toml; all others find the .pth file that make writes.
    tops = ("functions", "layers", "tests", "tools")
    ours = [path for top in tops for path in (ROOT / top).glob("**/*.py")]

    assert [str(path) for path in ours if sets_paths(path.read_text())] == []


def sets_paths(source: str) -> bool:
    """In the module's own code, or in a program that the module holds as a string."""
    attributes = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute))
    own = any(ast.unparse(attribute) == "sys.path" for attribute in attributes)
    return own or re.search(r"\bsys\.path\.insert\b", source) is not None
