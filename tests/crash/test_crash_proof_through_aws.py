"""The crash proof's fixed sample, with every call to Claude signed and checked."""

from collections.abc import Iterator

import pytest

from tests.crash_proof.nights import PLAIN, clean, play, sampled, singles
from tests.crash_proof.world import Workshop, gateway, workshop


@pytest.fixture(scope="module")
def ours() -> Iterator[Workshop]:
    with workshop(through=gateway()) as made:
        yield made


def test_faults_of_all_kinds_in_all_functions_are_survived_through_aws(ours: Workshop) -> None:
    calls = play(clean(PLAIN), ours).calls
    cases = sampled(singles(PLAIN, calls), calls)[::3]

    broken = {str(case): found for case in cases if (found := play(case, ours).problems)}

    assert len(cases) > 40
    assert not broken
    assert not [call for call in calls if call.service == "secretsmanager"]


def test_the_sample_notices_a_call_that_is_not_let_in(ours: Workshop) -> None:
    assert ours.gateway is not None
    ours.gateway.federation = False
    try:
        problems = play(clean(PLAIN), ours).problems
    finally:
        ours.gateway.federation = True

    assert problems
