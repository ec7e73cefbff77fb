"""What can go wrong at one call, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
from botocore.exceptions import ConnectionClosedError

from tests.crash_proof.edges import Cut, Death, Process, Wire

if TYPE_CHECKING:
    from tests.crash_proof.world import World

READS = ("BatchGetItem", "GetItem", "Query")
BATCH_CALLS = ("BatchExecuteStatement", "BatchGetItem", "BatchWriteItem")
# A stopped execution's function goes on after so many calls of others; None: as late as a Lambda
# can live.
GOES_ON_AFTER: dict[str, int | None] = {"soon": 7, "later": 30, "last moment": None}

# An aborted execution is redriven while a new one runs, or instead of starting one.
BESIDE, INSTEAD = "beside", "instead"

type Strike = Callable[["World", Process, Wire], Any]


@dataclass(frozen=True)
class Mode:
    """A way to fail, and the calls (service, operation) that can fail so."""

    strike: Strike
    fits: Callable[[str, str], bool] = lambda service, operation: True


@dataclass(frozen=True)
class Fault:
    """The call with this number, counted over the whole night, goes wrong in this mode, or in the
    one that `draw` (0 to 1) picks of those that the call can meet, `unfair` ones excepted."""

    number: int
    mode: str = ""
    draw: float = 0.0
    unfair: tuple[str, ...] = ()

    def mode_for(self, service: str, operation: str) -> str:
        known = [mode for mode in modes_of(service, operation) if mode not in self.unfair]
        return self.mode or known[int(self.draw * len(known))]

    def __str__(self) -> str:
        return f"{self.mode or f'draw {self.draw:.3f}'} @ {self.number}"


def die(world: "World", process: Process, wire: Wire, after: bool) -> Any:
    if after:
        wire.perform()
    process.dead = True
    raise Death


def lose(world: "World", process: Process, wire: Wire, how: str, always: bool = False) -> Any:
    """It is done, and its caller does not learn of it."""
    if always:
        world.stuck[wire.identity] = partial(lose, how=how)
    wire.perform()
    if wire.service == "dynamodb" and how == "lost":
        raise ConnectionClosedError(endpoint_url="scripted")
    return wire.fail(how)


def refuse(world: "World", process: Process, wire: Wire, how: str, always: bool = False) -> Any:
    """It is not done, or only in part, as the answer says."""
    if always:
        world.stuck[wire.identity] = partial(refuse, how=how)
    return wire.fail(how)


def hurry(world: "World", process: Process, wire: Wire) -> Any:
    """Half of it is throttled, and from now on no collect has time for more than one try."""
    world.collect_seconds = 50.0
    return wire.fail("some done")


def throttle(world: "World", process: Process, wire: Wire) -> Any:
    """This transaction and the next three are canceled, since the table is throttled."""
    world.throttled_transactions = 3
    return wire.fail("ThrottlingError")


def come_late(world: "World", process: Process, wire: Wire, seconds: float) -> Any:
    """The caller gives up; the provider does it later all the same."""
    wire.keep()
    world.later(seconds, wire.perform)
    return wire.fail("timeout")


def cut(world: "World", process: Process, wire: Wire, loud: bool) -> Any:
    whole: httpx2.Response = wire.perform()
    return httpx2.Response(200, stream=Cut(whole.read(), loud))


def stop(
    world: "World", process: Process, wire: Wire, goes_on: int | None, redrive: str = ""
) -> Any:
    """The execution is aborted when this call is done; its function goes on later, to its end."""
    result = wire.perform()
    world.abort(process.execution, redrive)
    world.hang(process, goes_on)
    return result


def end(world: "World", process: Process, wire: Wire, redrive: str = "") -> Any:
    """The execution is aborted when this call is done, and its function dies with it."""
    world.abort(process.execution, redrive)
    return die(world, process, wire, after=True)


def pause(world: "World", process: Process, wire: Wire, goes_on: int | None) -> Any:
    """The function stands still after this call for a while, and nobody stops anything."""
    result = wire.perform()
    world.hang(process, goes_on)
    return result


def forget(world: "World", process: Process, wire: Wire, goes_on: int | None) -> Any:
    """Step Functions loses the connection to the function and calls it again; the first call goes
    on later, as the same execution's."""
    result = wire.perform()
    process.forgotten = True
    world.hang(process, goes_on)
    return result


def _not_alone(service: str, operation: str) -> bool:
    """Reading the key or a status changes nothing that others could see."""
    return service in ("dynamodb", "claude")


def _aws(service: str, operation: str) -> bool:
    return service == "dynamodb"


def _aws_writes(service: str, operation: str) -> bool:
    """Whether there is an effect: the lost answer of a read is one that was refused."""
    return service == "dynamodb" and operation not in READS


def _claude(service: str, operation: str) -> bool:
    return service == "claude"


def _only(*operations: str) -> Callable[[str, str], bool]:
    return lambda service, operation: operation in operations


MODES: dict[str, Mode] = {
    "die before": Mode(partial(die, after=False)),
    "die after": Mode(partial(die, after=True)),
    # To end after one call is to end before the next: the function has done nothing between.
    "end": Mode(end),
    # Botocore asks again by itself, so the effect happens twice; at last it gives up.
    "aws lost": Mode(partial(lose, how="lost"), _aws_writes),
    "aws 500 after": Mode(partial(lose, how="500"), _aws_writes),
    "aws lost each time": Mode(partial(lose, how="lost", always=True), _aws_writes),
    "aws throttled": Mode(partial(refuse, how="throttled"), _aws),
    "aws throttled each time": Mode(partial(refuse, how="throttled", always=True), _aws),
    "aws some done": Mode(partial(refuse, how="some done"), _only(*BATCH_CALLS)),
    "aws some done, time over": Mode(hurry, _only("BatchExecuteStatement")),
    "aws one in doubt": Mode(partial(refuse, how="one in doubt"), _only("BatchExecuteStatement")),
    "aws conflict": Mode(partial(refuse, how="TransactionConflict"), _only("TransactWriteItems")),
    "aws transaction throttled": Mode(
        partial(refuse, how="ThrottlingError"), _only("TransactWriteItems")
    ),
    "aws transactions throttled": Mode(throttle, _only("TransactWriteItems")),
    "aws fails": Mode(partial(refuse, how="lost"), _only("GetSecretValue", "DescribeExecution")),
    "lost": Mode(partial(lose, how="lost"), _claude),
    "timeout after": Mode(partial(lose, how="timeout"), _claude),
    "500 after": Mode(partial(lose, how="500"), _claude),
    "408 after": Mode(partial(lose, how="408"), _claude),
    "timeout before": Mode(partial(refuse, how="timeout"), _claude),
    "never connected": Mode(partial(refuse, how="never connected"), _claude),
    "429": Mode(partial(refuse, how="429"), _claude),
    "500": Mode(partial(refuse, how="500"), _claude),
    "529": Mode(partial(refuse, how="529"), _claude),
    "404": Mode(partial(refuse, how="404"), _only("retrieve", "results")),
    "done a minute late": Mode(partial(come_late, seconds=60), _only("create")),
    "done 14 minutes late": Mode(partial(come_late, seconds=850), _only("create")),
    "cut": Mode(partial(cut, loud=True), _only("results")),
    "cut silently": Mode(partial(cut, loud=False), _only("results")),
    **{
        f"stop, goes on {when}": Mode(partial(stop, goes_on=goes_on), _not_alone)
        for when, goes_on in GOES_ON_AFTER.items()
    },
    "stop, redriven, goes on soon": Mode(partial(stop, goes_on=7, redrive=BESIDE), _not_alone),
    "end, redriven": Mode(partial(end, redrive=BESIDE), _not_alone),
    # Two functions of one execution, which both hold its lock.
    "stop, redriven at once, goes on at once": Mode(
        partial(stop, goes_on=3, redrive=INSTEAD), _not_alone
    ),
    "stop, redriven at once, goes on soon": Mode(
        partial(stop, goes_on=5, redrive=INSTEAD), _not_alone
    ),
    **{
        f"forgotten, goes on {when}": Mode(partial(forget, goes_on=calls), _not_alone)
        for when, calls in (("at once", 2), *GOES_ON_AFTER.items())
    },
    "pause": Mode(partial(pause, goes_on=9), _not_alone),
    "pause to the last moment": Mode(partial(pause, goes_on=None), _not_alone),
}


def modes_of(service: str, operation: str) -> list[str]:
    """The names of the ways in which a call can fail."""
    return [name for name, mode in MODES.items() if mode.fits(service, operation)]
