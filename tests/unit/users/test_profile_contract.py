"""The contract, the model and the rules speak of the same fields."""

from gatepost.users.v1.profiles_pb2 import Profile
from user_service import rules
from user_service.model import EDITABLE
from user_service.rpc.profiles import said

OUTPUT_ONLY = {
    *("user_id", "project_id", "number", "public_id", "phone_e164", "create_time", "update_time", "etag"),
    *("picture", "cover"),
}


def test_every_field_of_the_contract_can_be_changed_or_is_output_only() -> None:
    assert {field.name for field in Profile.DESCRIPTOR.fields} == OUTPUT_ONLY | set(EDITABLE)


def test_every_field_that_can_be_changed_has_a_rule() -> None:
    assert tuple(rules._RULES) == EDITABLE


def test_every_field_that_can_be_changed_is_read_from_the_message() -> None:
    assert tuple(said(Profile())) == EDITABLE
