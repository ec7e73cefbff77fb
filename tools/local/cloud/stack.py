"""The project's stack in the local cloud: the same `sam build` and `sam deploy` as on AWS."""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tools.local.cloud.cloud import REPOSITORY, LocalCloud, LocalCloudFailed

SAM = str(Path(sys.executable).with_name("sam"))

# What goes into a build.
SOURCES = ("template.yaml", "*.asl.yaml", "functions", "layers", "requirements*", ".python-version")
DIGEST_FILE = "sources.sha256"

# The layer of packages is zipped once for a build, not by `sam deploy` each time: zipping its 7,000
# files was most of a deploy. SAM uploads an archive as it is.
PACKED_LAYER = "DependenciesLayer"
PACKED_TEMPLATE = "packed.yaml"

DEPLOY_SETTINGS = """\
version = 0.1

[default.deploy.parameters]
resolve_s3 = true
capabilities = "CAPABILITY_IAM"
confirm_changeset = false
fail_on_empty_changeset = false
"""


def build(cloud: LocalCloud, project: Path = REPOSITORY) -> Path:
    """Run `sam build` unless its sources are what they were last time.

    Returns the built template. SAM's own, `template.yaml`, stays beside it as SAM wrote it. Raises
    LocalCloudFailed with SAM's output.
    """
    build_directory = project / ".aws-sam" / "build"
    digest = _digest(project)
    with _alone_in(project / ".aws-sam"):
        if not _is_current(build_directory, digest):
            config = _sam_config(cloud)
            _sam(cloud, project, "build", "--cached", "--parallel", "--config-file", config)
            _pack(build_directory)
            (build_directory / DIGEST_FILE).write_text(digest)
    return build_directory / PACKED_TEMPLATE


def _is_current(build_directory: Path, digest: str) -> bool:
    """Whether these sources were built here last. A `sam build` by hand, perhaps of other sources,
    writes SAM's template anew."""
    written, by_sam = build_directory / DIGEST_FILE, build_directory / "template.yaml"
    if not (written.exists() and by_sam.exists() and (build_directory / PACKED_TEMPLATE).exists()):
        return False
    built_since = by_sam.stat().st_mtime_ns > written.stat().st_mtime_ns
    return not built_since and written.read_text() == digest


def with_tasks(template: Path, files: Iterable[Path], directory: Path) -> Path:
    """A copy of a built project, in `directory`, to which task files are added.

    Returns the template of the copy. The build and the repository stay as they are.
    """
    shutil.rmtree(directory, ignore_errors=True)
    copy = directory / ".aws-sam" / "build"
    packed = shutil.ignore_patterns(PACKED_LAYER)
    shutil.copytree(template.parent, copy, symlinks=True, ignore=packed)
    shutil.copy(REPOSITORY / "workflow.asl.yaml", directory)
    for file in files:
        shutil.copy(file, copy / "NightshiftLayer/python/nightshift/tasks")
    return copy / template.name


def deploy(
    cloud: LocalCloud, stack_name: str, template: Path, parameters: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Deploy a built template and return the stack's outputs.

    Raises LocalCloudFailed with SAM's output.
    """
    arguments = ["--config-file", _sam_config(cloud), "--template-file", str(template)]
    if parameters:
        parameter_file = cloud.directory / "parameters.yaml"  # JSON is YAML; SAM takes no .json
        parameter_file.write_text(json.dumps(dict(parameters)))
        arguments += ["--parameter-overrides", f"file://{parameter_file}"]
    _sam(cloud, template.parent, "deploy", "--stack-name", stack_name, *arguments)
    [stack] = cloud.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _pack(build_directory: Path) -> None:
    """Write the template that names the archive of the packed layer, and the archive."""
    text = (build_directory / "template.yaml").read_text()
    if (layer := build_directory / PACKED_LAYER).is_dir():
        shutil.make_archive(str(layer), "zip", layer)
        folder = f"ContentUri: {PACKED_LAYER}\n"
        assert text.count(folder) == 1, "SAM writes the template of a build otherwise"
        text = text.replace(folder, f"ContentUri: {PACKED_LAYER}.zip\n")
    (build_directory / PACKED_TEMPLATE).write_text(text)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Wait until no other process is in here: a night and the tests may run at the same time."""
    directory.mkdir(exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back with the file, however the process ends
        yield


def _sam(cloud: LocalCloud, project: Path, *arguments: str) -> None:
    sam = subprocess.Popen(
        [SAM, *arguments],
        cwd=project,
        env=cloud.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,  # it starts make and pip, which must end with it
    )
    try:
        output, _ = sam.communicate()
    except BaseException:
        os.killpg(sam.pid, signal.SIGKILL)
        sam.wait()
        raise
    if sam.returncode != 0:
        raise LocalCloudFailed(f"sam {arguments[0]} failed:\n{output}")


def _sam_config(cloud: LocalCloud) -> str:
    path = cloud.directory / "samconfig.toml"
    path.write_text(DEPLOY_SETTINGS)
    return str(path)


def _digest(project: Path) -> str:
    digest = hashlib.sha256(sysconfig.get_platform().encode())  # native modules are built, too
    for path in _source_files(project):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(project)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _source_files(project: Path) -> Iterator[Path]:
    for pattern in SOURCES:
        for source in sorted(project.glob(pattern)):
            files = sorted(source.rglob("*")) if source.is_dir() else [source]
            yield from (f for f in files if f.is_file() and f.parent.name != "__pycache__")
