"""Errors on the wire between services: what goes in comes out, and what is unknown stays opaque."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from runtime import status
from runtime.errors import STATUS, GatepostError, Reason, Rule, Violation, invalid, missing

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=100)
ERRORS = st.builds(
    GatepostError,
    st.sampled_from(Reason),
    TEXT,
    violations=st.lists(st.builds(Violation, TEXT, st.sampled_from(Rule), TEXT), max_size=4).map(tuple),
    retry_after_seconds=st.none() | st.integers(0, 10**7).map(lambda milliseconds: milliseconds / 1000),
    metadata=st.dictionaries(TEXT, TEXT, max_size=3),
)


@given(ERRORS)
def test_an_error_comes_out_as_it_went_in(error: GatepostError) -> None:
    code, message, details = status.encode(error)
    found = status.decode(code, details)
    assert (found.reason, found.message, found.violations) == (error.reason, error.message, error.violations)
    assert found.metadata == error.metadata
    assert found.retry_after_seconds == pytest.approx(error.retry_after_seconds, abs=0.001)
    assert (code, message) == (STATUS[error.reason], error.message)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_status_that_is_no_success(reason: Reason) -> None:
    assert STATUS[reason] is not grpc.StatusCode.OK


@pytest.mark.parametrize("reason", ["", "TELEPORTED", "bad_credentials"])
def test_a_reason_that_is_unknown_is_an_opaque_internal_error(reason: str) -> None:
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="gatepost"))
    details = status_pb2.Status(code=3, message="secret", details=[info]).SerializeToString()
    found = status.decode(grpc.StatusCode.INVALID_ARGUMENT, details)
    assert (found.reason, found.message) == (Reason.INTERNAL, "internal")


@given(st.binary(max_size=60))
def test_details_that_cannot_be_read_are_an_opaque_internal_error(details: bytes) -> None:
    assert status.decode(grpc.StatusCode.NOT_FOUND, details).reason is Reason.INTERNAL


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_EXCEEDED),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.OVERLOADED),
        (grpc.StatusCode.UNKNOWN, Reason.INTERNAL),
        (grpc.StatusCode.NOT_FOUND, Reason.INTERNAL),
    ],
)
def test_a_failure_of_grpc_itself_is_read_from_its_code(code: grpc.StatusCode, reason: Reason) -> None:
    found = status.decode(code, None)
    assert found.reason is reason
    assert bool(found.retry_after_seconds) == (reason is not Reason.INTERNAL)


def test_a_long_message_is_cut_so_that_the_answer_fits_into_metadata() -> None:
    _, message, details = status.encode(GatepostError(Reason.NOT_FOUND, "ü" * 100_000))
    assert len(message.encode()) + len(details) < 2000


def test_missing_and_invalid_name_their_fields() -> None:
    assert [(v.field, v.rule) for v in missing("a", "b").violations] == [("a", Rule.REQUIRED), ("b", Rule.REQUIRED)]
    assert invalid("a", "no", Rule.TAKEN).violations == (Violation("a", Rule.TAKEN, "no"),)
