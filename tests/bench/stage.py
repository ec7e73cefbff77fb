"""Where a measurement takes place: tickets, two servers, and one child process for each job."""

import http.client
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, count, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from nightshift.task.task import DEFAULT, load
from tests.bench import OUTPUT, REPOSITORY, runtime
from tests.definitions import TEMPLATE
from tools.desk.files.tickets import Findings, Source, read
from tools.local.claude_standin import Settings
from tools.local.cloud.cloud import LocalCloud

REAL_TICKETS = REPOSITORY.parent / "shared" / "data" / "tickets_48k.jsonl.gz"
TICKET_TABLE, RUN_TABLE = "bench-tickets", "bench-runs"
MOST_SECONDS = 900


class BenchmarkFailed(Exception):
    """A process of the benchmark did not do its job; the message ends with what it printed."""


def write_tickets(most: int) -> tuple[Path, str]:
    """As many tickets, repeated under new ids, and what they are."""
    source = REAL_TICKETS if REAL_TICKETS.exists() else None
    OUTPUT.mkdir(parents=True, exist_ok=True)
    path = OUTPUT / "tickets.jsonl"
    endless = chain.from_iterable(read(Source(source, load(DEFAULT)), Findings()) for _ in count())
    with path.open("wb") as file:
        for number, ticket in enumerate(islice(endless, most)):
            file.write(msgspec.json.encode(ticket | {"ticket_id": id_of(number)}) + b"\n")
    return path, "real tickets (Mozilla support forum)" if source else "the built-in sample"


def id_of(number: int) -> str:
    """The id of a ticket, in whose order neighbours of the file are not neighbours."""
    return blake2b(b"%d" % number, digest_size=8).hexdigest()


@dataclass(frozen=True)
class Stage:
    """A DynamoDB with pending tickets, a Claude without batches, both in processes of their own."""

    dynamodb: str
    claude: str

    def run(self, job: str, **arguments: Any) -> dict[str, Any]:
        """Run one job, say `ours.submit`, in a new process, with the calls and units it made."""
        self.tell("forget")
        busy = self.tell("counted")["cpu_seconds"]
        result = run_child(job, self.environment(job), **arguments)
        counted = self.tell("counted")
        return result | {
            "calls": counted["calls"],
            "units": counted["units"],
            "server_cpu_seconds": counted["cpu_seconds"] - busy,
        }

    def tell(self, what: str) -> Any:
        """Let the DynamoDB server forget, or say, what it has counted."""
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(f"{self.dynamodb}/{what}", timeout=60) as answer:
            return json.load(answer)

    def answer_seconds(self, calls: int = 100) -> float:
        """How long DynamoDB's answer takes on average, as a bare client sees it."""
        body = json.dumps(
            {"TableName": RUN_TABLE, "Key": {"run_id": {"S": "-"}, "record": {"S": "-"}}}
        )
        with closing(http.client.HTTPConnection(urlsplit(self.dynamodb).netloc)) as connection:
            began = time.perf_counter()
            for _ in range(calls):
                connection.request("POST", "/", body, {"x-amz-target": "DynamoDB_20120810.GetItem"})
                connection.getresponse().read()
            return (time.perf_counter() - began) / calls

    def environment(self, job: str) -> dict[str, str]:
        """The functions' own. The plain way knows nothing of what the template tells malloc."""
        variables = function_settings()
        if job.startswith("plain."):
            variables = {n: v for n, v in variables.items() if not n.startswith("MALLOC_")}
        return (
            LocalCloud(self.dynamodb, OUTPUT).environment()
            | variables
            | {"ANTHROPIC_BASE_URL": self.claude, "ANTHROPIC_API_KEY": Settings().api_key}
        )


@contextmanager
def stage(tickets: Path, pending: int, *claude_as: int) -> Iterator[Stage]:
    """Both servers, until the block is left. However this process ends, they end too."""
    with (
        server("tests.bench.dynamodb", str(tickets), str(pending)) as dynamodb,
        server("tests.bench.claude", *map(str, claude_as)) as claude,
    ):
        yield Stage(dynamodb, claude)


def function_settings() -> dict[str, str]:
    """The functions' environment: what the template says, its defaults, and a budget for all."""
    written = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    return {
        **{name: value for name, value in written.items() if isinstance(value, str)},
        **{name.upper(): str(value) for name, value in template_defaults().items()},
        "TICKET_TABLE": TICKET_TABLE,
        "RUN_TABLE": RUN_TABLE,
        "API_KEY_SECRET": "arn:aws:secretsmanager:us-east-1:123456789012:secret:bench",
        "STACK_NAME": "bench",
        "MAX_COST_USD": "100000",
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }


def template_defaults() -> dict[str, Any]:
    """The parameters that the functions read, by the names of their variables."""
    names = {
        "Model": "model",
        "Task": "task",
        "PollSeconds": "poll_seconds",
        "MaxRequestsPerBatch": "max_requests_per_batch",
        "MaxAttempts": "max_attempts",
        "MaxMonthlyCostUsd": "max_monthly_cost_usd",
    }
    parameters = TEMPLATE["Parameters"]
    return {variable: parameters[name]["Default"] for name, variable in names.items()}


def run_child(job: str, environment: dict[str, str], **arguments: Any) -> dict[str, Any]:
    """The result of a job, see `child`. Its process finds the packages that a function finds."""
    module, name = job.split(".")
    finished = subprocess.run(
        [sys.executable, "-S", "-m", f"tests.bench.{module}", name, json.dumps(arguments)],
        check=False,
        cwd=REPOSITORY,
        env=as_a_function_has_it(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS,
    )
    if finished.returncode:
        raise BenchmarkFailed(f"{job} {arguments} failed:\n{finished.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return result


def as_a_function_has_it(environment: dict[str, str]) -> dict[str, str]:
    """With the paths of the packages that a function finds."""
    further = environment.get("PYTHONPATH", "")
    path = os.pathsep.join(map(str, [*runtime.paths(), REPOSITORY, further]))
    return environment | {"PYTHONPATH": path}


@contextmanager
def server(*module: str) -> Iterator[str]:
    """A server of the benchmark in a process of its own, by its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", *module],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        stdin=subprocess.PIPE,  # ends with this process, and with it the server
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    assert process.stdin and process.stdout
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise BenchmarkFailed(f"{module[0]} did not start; what it printed is above.")
        yield url
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(60)  # one that holds a million tickets forgets them first
