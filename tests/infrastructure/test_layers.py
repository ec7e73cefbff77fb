"""What is shipped is complete: the functions start from their layers and the AWS SDK alone."""

import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

import pytest

from tools.local.cloud.cloud import REPOSITORY, LocalCloud
from tools.local.cloud.ministack import link_aws_sdk
from tools.local.cloud.stack import build

FUNCTIONS = ("SubmitFunction", "StatusFunction", "CollectFunction")
LAYERS = ("DependenciesLayer", "NightshiftLayer")
# An ELF header's `e_machine` for each platform that a native module's name ends with.
MACHINES = {"x86_64-linux-gnu": 0x3E, "aarch64-linux-gnu": 0xB7}
# PEP 552: hash-based, and the source is not looked at.
UNCHECKED_HASH = 0b01

# A machine's Python, as layers/*/Makefile may find it; pyenv's runs where it is told a version.
VERSION = (REPOSITORY / ".python-version").read_text().strip()
PYTHON = f"""#!/bin/sh
exec "{sys.executable}" "$@"
"""
PYENVS = f"""#!/bin/sh
[ "$PYENV_VERSION" = {VERSION} ] || {{ echo "pyenv: python3.13: command not found" >&2; exit 127; }}
exec "{sys.executable}" "$@"
"""
UVS = f"""#!/bin/sh
[ "$*" = "python find {VERSION}" ] && echo {sys.executable}
"""
OLD = """#!/bin/sh
exit 1
"""

START = """
import json, sys
sys.path[:] = [*sys.argv[1:], *sys.path]
import app
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
json.dump({"handler": callable(app.lambda_handler), "files": files}, sys.stdout)
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sam build` made. It is skipped where nothing has changed, and calls no AWS."""
    nowhere = LocalCloud("http://127.0.0.1:9", tmp_path_factory.mktemp("build"))
    return build(nowhere).parent


@pytest.fixture(scope="session")
def aws_sdk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the AWS SDK and nothing else."""
    directory = tmp_path_factory.mktemp("aws-sdk")
    link_aws_sdk(directory)
    return directory


def python(program: str, *arguments: object, **environment: str) -> str:
    """Run a program that sees the standard library alone: no site-packages, no variables."""
    finished = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program, *map(str, arguments)],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def sources(*layers: Path) -> Iterator[Path]:
    for layer in layers:
        yield from (layer / "python").rglob("*.py")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_starts_from_its_layers_and_the_aws_sdk_alone(
    built: Path, aws_sdk: Path, function: str
) -> None:
    layers = [built / layer / "python" for layer in LAYERS]
    places = [built / function, *layers, aws_sdk]

    found = json.loads(python(START, *places, AWS_DEFAULT_REGION="eu-central-1"))

    assert found["handler"] is True
    site_packages = [file for file in found["files"].values() if "site-packages" in str(file)]
    assert site_packages == []
    assert found["files"]["nightshift"].startswith(str(layers[1]))
    assert found["files"]["aws_lambda_powertools"].startswith(str(layers[0]))
    assert found["files"]["boto3"].startswith(str(aws_sdk))


@pytest.mark.parametrize(
    ("function", "others"),
    [
        ("SubmitFunction", {"collect", "writing.apply", "writing.bitmap", "writing.decision"}),
        ("StatusFunction", {"collect", "dry_run", "ending", "sending", "submit", "writing"}),
        ("CollectFunction", {"dry_run", "ending", "sending", "submit"}),
    ],
)
def test_a_function_imports_nothing_that_only_others_use(
    built: Path, aws_sdk: Path, function: str, others: set[str]
) -> None:
    places = [built / function, *(built / layer / "python" for layer in LAYERS), aws_sdk]

    found = json.loads(python(START, *places, AWS_DEFAULT_REGION="eu-central-1"))["files"]

    package = built / "NightshiftLayer/python/nightshift"
    for name in others:
        path = package / name.replace(".", "/")
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
    assert not others & {name.removeprefix("nightshift.") for name in found}


def test_a_layer_that_lacks_a_package_would_be_noticed(built: Path, aws_sdk: Path) -> None:
    with pytest.raises(AssertionError, match="ModuleNotFoundError"):
        python(START, built / "SubmitFunction", built / "NightshiftLayer" / "python", aws_sdk)


def test_a_function_is_its_entry_point_alone(built: Path) -> None:
    for function in FUNCTIONS:
        files = {path.name for path in (built / function).rglob("*") if path.is_file()}
        assert files <= {"app.py", "app.cpython-313.pyc"}, function


def test_a_layer_is_a_folder_named_python(built: Path) -> None:
    for layer in LAYERS:
        assert [path.name for path in (built / layer).iterdir()] == ["python"]


def test_the_layers_carry_nothing_that_the_runtime_has(built: Path) -> None:
    names = {path.name for layer in LAYERS for path in (built / layer / "python").iterdir()}

    assert not names & {"boto3", "botocore", "s3transfer", "pip", "setuptools", "bin"}


def test_the_layers_carry_no_tests(built: Path) -> None:
    folders = [
        path.relative_to(built)
        for layer in LAYERS
        for path in (built / layer).rglob("*")
        if path.is_dir() and path.name in ("test", "tests")
    ]

    assert folders == []


def test_the_layers_are_smaller_than_lambda_allows(built: Path) -> None:
    # 250 MB unzipped, function and layers together (docs.aws.amazon.com, Lambda quotas, 2026-11).
    files = [path for layer in LAYERS for path in (built / layer).rglob("*") if path.is_file()]

    assert sum(path.stat().st_size for path in files) < 125_000_000


def test_the_package_is_shipped_whole(built: Path) -> None:
    package = Path(__file__).parents[2] / "layers" / "nightshift" / "nightshift"
    shipped = built / "NightshiftLayer" / "python" / "nightshift"

    ours = {path.relative_to(package) for path in package.rglob("*") if path.is_file()}
    theirs = {path.relative_to(shipped) for path in shipped.rglob("*") if path.is_file()}
    assert {path for path in theirs if path.suffix != ".pyc"} == {
        path for path in ours if path.suffix != ".pyc"
    }
    for name in ("tasks/ticket-classification.toml", "claude/models.toml"):
        assert (shipped / name).read_bytes() == (package / name).read_bytes()


def test_nothing_else_of_the_project_is_shipped(built: Path) -> None:
    of_functions = {path.name for name in FUNCTIONS for path in (built / name).iterdir()}
    of_layers = {path.name for layer in LAYERS for path in (built / layer / "python").iterdir()}

    assert of_functions - {"__pycache__"} == {"app.py"}
    assert not of_layers & {"tools", "tests", "functions", "events"}


def test_every_module_has_bytecode_that_is_valid_unchecked(built: Path) -> None:
    # Layer files have no true times, and /opt cannot be written.
    modules = list(sources(*(built / layer for layer in LAYERS)))
    without = [path for path in modules if not Path(cache_from_source(str(path))).exists()]
    headers = {
        path: Path(cache_from_source(str(path))).read_bytes()[:8]
        for path in modules
        if path not in without
    }

    assert len(modules) > 1_000
    assert without == []
    assert set(headers.values()) == {MAGIC_NUMBER + struct.pack("<I", UNCHECKED_HASH)}


def test_bytecode_is_that_of_the_source_beside_it(built: Path) -> None:
    for path in sources(built / "NightshiftLayer"):
        stored = Path(cache_from_source(str(path))).read_bytes()[8:16]
        assert stored == source_hash(path.read_bytes()), path.name


def test_bytecode_is_used_from_a_read_only_copy(built: Path, tmp_path: Path) -> None:
    copy = tmp_path / "opt"
    shutil.copytree(built / "NightshiftLayer", copy)
    source = copy / "python" / "nightshift" / "writing" / "bitmap.py"
    source.write_text("raise RuntimeError('compiled anew')")
    for path in sorted(copy.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    program = (
        "import sys; sys.path[:] = [sys.argv[1], *sys.path]\n"
        "from nightshift.writing import bitmap\n"
        "print(bitmap.__cached__, len(bitmap.Bitmap(8, bytes([1]))))"
    )

    printed = python(program, copy / "python").split()

    assert printed == [cache_from_source(str(source)), "1"]


@pytest.mark.parametrize("platform", MACHINES)
def test_native_modules_of_both_architectures_lie_side_by_side(built: Path, platform: str) -> None:
    native = list((built / "DependenciesLayer").rglob("*.so"))
    of_platform = [path for path in native if path.name.endswith(f".cpython-313-{platform}.so")]
    headers = {path: path.read_bytes()[:20] for path in of_platform}

    modules = {str(path).partition(".cpython-313-")[0] for path in native}
    assert {str(path).partition(".cpython-313-")[0] for path in of_platform} == modules
    assert {Path(module).name for module in modules} >= {"_core", "_regex", "jiter"}
    for path, header in headers.items():
        assert header[:4] == b"\x7fELF", path.name
        assert struct.unpack_from("<H", header, 18)[0] == MACHINES[platform], path.name


def makes(
    directory: Path, layer: str, programs: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    """Build a layer as `sam build` does, in a scratch folder, where only these programs are."""
    here = directory / "bin"
    here.mkdir()
    for tool in ("cp", "find", "mkdir", "rm"):
        (here / tool).symlink_to(str(shutil.which(tool)))
    for name, script in programs.items():
        (here / name).write_text(script)
        (here / name).chmod(0o755)
    source = REPOSITORY / "layers" / layer.removesuffix("Layer").lower()
    scratch = directory / "scratch"
    shutil.copytree(source, scratch)
    return subprocess.run(
        [str(shutil.which("make")), "--makefile", source / "Makefile", f"build-{layer}", *options],
        cwd=scratch,
        check=False,
        env={"PATH": str(here), "ARTIFACTS_DIR": str(directory / "built here")},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "programs",
    [
        {"python3.13": PYTHON},
        {"python3.13": PYENVS, "python3": PYENVS},
        {"python3": OLD, "uv": UVS},
        {"python3.13": OLD, "python3": PYTHON},
    ],
    ids=["on the PATH", "of pyenv", "of uv", "called python3"],
)
def test_a_layer_is_built_by_a_python_that_is_not_of_the_folder(
    tmp_path: Path, layer: str, programs: dict[str, str]
) -> None:
    # What would be done is enough: three times pip takes minutes.
    made = makes(tmp_path, layer, programs, "--dry-run")

    assert made.returncode == 0, made.stderr
    called = [line for line in made.stdout.splitlines() if " -m " in line]
    assert len(called) == (4 if layer == "DependenciesLayer" else 1)
    assert all(line.startswith(f'"{sys.executable}" -m ') for line in called)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("programs", [{}, {"python3.13": OLD, "python3": OLD, "uv": OLD}])
def test_without_a_python_a_build_says_which_one_it_needs(
    tmp_path: Path, layer: str, programs: dict[str, str]
) -> None:
    made = makes(tmp_path, layer, programs)

    assert made.returncode != 0
    assert "No Python 3.13 with pip was found" in made.stderr
    assert "pyenv install 3.13" in made.stderr


def test_a_layer_is_built_where_pyenv_sees_no_version(tmp_path: Path) -> None:
    made = makes(tmp_path, "NightshiftLayer", {"python3.13": PYENVS})

    assert made.returncode == 0, made.stderr
    package = tmp_path / "built here" / "python" / "nightshift"
    assert Path(cache_from_source(str(package / "submit.py"))).exists()


def test_every_layer_looks_for_its_python_in_the_same_way() -> None:
    makefiles = [path.read_text() for path in (REPOSITORY / "layers").glob("*/Makefile")]

    looked = [text[text.index("PYTHON :=") : text.index("endif")] for text in makefiles]
    assert len(looked) == len(LAYERS)
    assert len(set(looked)) == 1
