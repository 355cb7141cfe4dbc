"""The stack that tests of faults do their worst to: two gateways and two auth-services, and limits out of the way."""

from collections.abc import Callable

import pytest
from conftest import GatepostStack
from faults import history_run


@pytest.fixture(scope="session")
def fragile(make_stack: Callable[..., GatepostStack]) -> GatepostStack:
    """Return this worker's running stack; each test leaves it with everything ready."""
    stack = make_stack(**history_run.SETTINGS)
    stack.up("--no-demo", "--gateways=2", "--auth=2")
    return stack
