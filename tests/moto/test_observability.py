"""No variable of the environment makes a library say what a ticket holds, or the key."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from tests.stack.stack import TALKATIVE
from tools.local.claude_standin import StandIn

REPOSITORY = Path(__file__).parents[2]
SCENE = dedent("""
    import logging
    import sys

    logging.basicConfig(level=logging.DEBUG)  # as Lambda does at its own log level DEBUG

    from opentelemetry import trace

    class Collector(trace.TracerProvider):
        def get_tracer(self, *args, **kwargs):
            print("SPANS ARE COLLECTED", flush=True)
            return trace.NoOpTracer()

    trace.set_tracer_provider(Collector())

    # First what sets the levels of others, then the SDK, which sets its own when it is imported.
    from nightshift.observability import logger
    from nightshift.aws import ClientError, dynamodb
    from nightshift.claude.client import Claude
    from nightshift.errors import ClaudeRejected

    class Body(bytes):
        size = property(len)
        def __iter__(self):
            yield bytes(self)

    url, key = sys.argv[1:]
    claude = Claude(url, lambda fresh: key)
    request = b'{"custom_id": "a", "params": {"model": "claude-haiku-4-5", "max_tokens": 9, '
    request += b'"messages": [{"role": "user", "content": "xylograph"}]}}'
    batch = claude.create(Body(b'{"requests": [' + request + b']}'))
    while not claude.retrieve(batch.batch_id).ended:
        pass
    assert list(claude.result_lines(batch.batch_id))
    try:
        claude.create(Body(b'{"requests": "xylograph"}'))
    except ClaudeRejected:
        logger.debug("refused")
    try:
        dynamodb().put_item(TableName="t", Item={"body": {"S": "xylograph"}})
    except ClientError:
        logger.debug("no DynamoDB here")
""")


def test_no_variable_of_the_environment_makes_a_library_tell(claude: StandIn) -> None:
    claude.control.set_life(seconds=0)

    said = said_by(claude, SCENE)

    assert "no DynamoDB here" in said
    assert "xylograph" not in said
    assert claude.api_key not in said
    assert "SPANS" not in said


def said_by(claude: StandIn, program: str) -> str:
    """All that a program says, in an environment that asks every library to talk."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY / "layers" / "nightshift"),
        "AWS_ENDPOINT_URL": claude.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        **TALKATIVE,
        "POWERTOOLS_DEV": "1",
    }
    ran = subprocess.run(
        [sys.executable, "-c", program, claude.url, claude.api_key],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout + ran.stderr
