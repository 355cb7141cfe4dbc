"""How a service's refusal reads at the terminal."""

import pytest

from gatepost_cli.refusals import explained
from runtime.errors import GatepostError, Reason, Rule, Violation, invalid, missing


def test_a_services_own_sentence_is_kept() -> None:
    assert explained(GatepostError(Reason.NOT_FOUND, "there is no project 'x'")).message == "there is no project 'x'"


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_reads_as_more_than_nothing(reason: Reason) -> None:
    failure = explained(GatepostError(reason))
    assert failure.message
    assert failure.facts == {"reason": reason.value}


def test_one_field_at_fault_is_told_once() -> None:
    failure = explained(invalid("name", "A name has letters."))
    assert (failure.message, failure.details) == ("A name has letters", ())


def test_several_fields_at_fault_are_all_told() -> None:
    failure = explained(missing("email", "password"))
    assert "The email field is required" in failure.message
    assert "The password field is required" in failure.message


def test_programs_are_told_reason_and_fields() -> None:
    violation = Violation("email", Rule.TAKEN, "Taken.")
    assert explained(GatepostError(Reason.EMAIL_TAKEN, violations=(violation,))).facts == {
        "reason": "email_taken",
        "violations": [{"field": "email", "rule": "taken", "description": "Taken."}],
    }
