"""Mail addresses as recipients and senders."""

import pytest

from notify_service.addresses import envelope, normalise, parse_sender


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ada.Lovelace@Example.COM", "Ada.Lovelace@example.com"),
        ("ada@localhost", "ada@localhost"),
        ("ada@mail.local", "ada@mail.local"),
        ("ada+tag@x.test", "ada+tag@x.test"),
        ("jose\u0301@example.com", "jos\u00e9@example.com"),
    ],
)
def test_an_address_is_kept_in_one_spelling(given: str, kept: str) -> None:
    assert normalise(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "ada",
        "ada@",
        "ada@example.com\r\nBcc: all@example.com",
        "ada@example.com\n",
        "ada\0@example.com",
        "Ada <ada@example.com>",
        "ada@example.com, bob@example.com",
        "ada bob@example.com",
        "ada@" + "x" * 255,
    ],
)
def test_what_is_no_single_address_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        normalise(given)


def test_the_envelope_has_the_domain_in_ascii_when_the_mailbox_is() -> None:
    assert envelope("ada@bücher.example") == "ada@xn--bcher-kva.example"
    assert envelope("josé@bücher.example") == "josé@bücher.example"


def test_a_sender_may_have_a_name() -> None:
    sender = parse_sender("The Harbour <no-reply@Example.com>")

    assert (sender.display_name, sender.addr_spec, sender.domain) == (
        "The Harbour",
        "no-reply@example.com",
        "example.com",
    )


@pytest.mark.parametrize(
    "given", ["", "nobody", "a@b.example, c@d.example", "A\r\nBcc: x <a@b.example>", "é@b.example"]
)
def test_what_is_no_sender_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_sender(given)
