"""Parameters over real HTTP: query, form and JSON, and what is refused."""

import json
from typing import Any

import pytest
from dialects.local_gateway import LocalGateway, local_gateway
from unit.gateway.toy import toy

JSON = {"Content-Type": "application/json"}


async def post(gateway: LocalGateway, data: Any, content_type: str = "application/json", query: str = "") -> Any:
    headers = {"Content-Type": content_type}
    async with gateway.client.post(f"/toy/echo{query}", data=data, headers=headers) as answer:
        return await answer.json()


@pytest.mark.parametrize("content_type", ["application/json", "text/plain;charset=UTF-8", "x/y", "application/JSON"])
async def test_a_json_body_is_read_whatever_it_calls_itself(gateway: LocalGateway, content_type: str) -> None:
    assert (await post(gateway, b'{"name":"ann"}', content_type))["name"] == "ann"


async def test_a_form_is_read(gateway: LocalGateway) -> None:
    assert (await post(gateway, {"name": "ann b"}, "application/x-www-form-urlencoded"))["name"] == "ann b"


async def test_a_query_is_read_where_the_route_takes_it(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/asked?name=ann") as answer:
        assert (await answer.json())["name"] == "ann"


async def test_query_and_body_are_merged_where_the_route_takes_both(gateway: LocalGateway) -> None:
    async with gateway.client.post("/toy/mixed?name=ann", data={"number": "5"}) as answer:
        assert await answer.json() == {"name": "ann", "number": "5", "code": "", "address": ""}


async def test_query_and_body_may_say_the_same(gateway: LocalGateway) -> None:
    assert (await post(gateway, b'{"name":"ann","number":5}', query="?name=ann&number=5"))["number"] == "5"


async def test_query_and_body_that_disagree_are_refused(gateway: LocalGateway) -> None:
    answer = await post(gateway, b'{"name":"ann"}', query="?name=bob")
    assert answer["fields"] == {"name": "The name differs between query and body."}


async def test_a_parameter_that_belongs_in_the_body_is_refused_in_the_query(gateway: LocalGateway) -> None:
    answer = await post(gateway, b'{"name":"ann"}', query="?address=a@b.example")
    assert answer["fields"] == {"address": "The address must be sent in the body."}


async def test_a_query_parameter_given_twice_is_refused(gateway: LocalGateway) -> None:
    async with gateway.client.get("/toy/asked?name=ann&name=ann") as answer:
        assert (await answer.json())["fields"] == {"name": "The name is given more than once."}


async def test_a_form_parameter_given_twice_is_refused(gateway: LocalGateway) -> None:
    answer = await post(gateway, "name=ann&name=bob", "application/x-www-form-urlencoded")
    assert answer["toy"] == "toy says invalid_parameter"


async def test_everything_missing_and_wrong_is_told_at_once(gateway: LocalGateway) -> None:
    answer = await post(gateway, b'{"number":[],"code":"12a","address":"nobody"}')
    assert answer == {
        "toy": "toy says missing_parameter",
        "fields": {
            "name": "The name field is required.",
            "number": "The number must be a string or an integer.",
            "code": "The code must be an integer.",
            "address": "The address must be a valid email address.",
        },
    }


@pytest.mark.parametrize("body", [b'{"name":""}', b'{"name":null}', b"{}", b""])
async def test_empty_null_and_absent_are_missing(gateway: LocalGateway, body: bytes) -> None:
    assert (await post(gateway, body))["fields"] == {"name": "The name field is required."}


async def test_unknown_parameters_are_ignored(gateway: LocalGateway) -> None:
    answer = await post(gateway, b'{"name":"ann","role":"admin","is_admin":{"deep":[1]}}')
    assert answer["name"] == "ann"


@pytest.mark.parametrize(
    ("member", "value"), [("code", 0), ("code", "0"), ("code", 123456), ("code", "012345"), ("number", 11223344)]
)
async def test_codes_and_numbers_come_as_integers_or_digits(gateway: LocalGateway, member: str, value: object) -> None:
    answer = await post(gateway, json.dumps({"name": "ann", member: value}))
    assert answer[member] == str(value)


@pytest.mark.parametrize("value", [True, 1.5, [], {}, "1 2", "\uff11\uff12", "-5", "1e3"])
async def test_a_code_that_is_no_integer_is_refused(gateway: LocalGateway, value: object) -> None:
    answer = await post(gateway, json.dumps({"name": "ann", "code": value}))
    assert answer["fields"] == {"code": "The code must be an integer."}


@pytest.mark.parametrize("value", ["a\0b", "\0"])
async def test_nul_is_refused(gateway: LocalGateway, value: str) -> None:
    answer = await post(gateway, json.dumps({"name": value}))
    assert answer["fields"] == {"name": "The name contains characters that are not allowed."}


async def test_a_lone_surrogate_is_refused(gateway: LocalGateway) -> None:
    answer = await post(gateway, rb'{"name":"\ud800"}')
    assert answer["fields"] == {"name": "The name contains characters that are not allowed."}


@pytest.mark.parametrize(
    "body",
    [
        b"[object Object]",
        b"[]",
        b'"text"',
        b"null",
        b"{",
        b'{"name":"a"}x',
        b'{"name":"ann","name":"bob"}',
        b'{"name":"ann","deep":{"a":1,"a":2}}',
        b'{"name":NaN}',
        b'{"name":-Infinity}',
        b'{"name":' + b"9" * 5000 + b"}",
        b'{"name":"\xff"}',
        b'\xef\xbb\xbf{"name":"ann"}',
        '{"name":"ann"}'.encode("utf-16"),
        b'{"name":' + b"[" * 17 + b"]" * 17 + b"}",
        b'{"a":' * 5000,
    ],
)
async def test_what_is_no_plain_json_object_is_malformed(gateway: LocalGateway, body: bytes) -> None:
    assert await post(gateway, body) == {"toy": "toy says malformed_request"}


async def test_brackets_inside_strings_are_no_nesting(gateway: LocalGateway) -> None:
    name = "[{" * 50 + '"]' + "\\"
    assert (await post(gateway, json.dumps({"name": name})))["name"] == name


async def test_multipart_is_refused(gateway: LocalGateway) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nann\r\n--x--\r\n'
    assert await post(gateway, body, "multipart/form-data; boundary=x") == {"toy": "toy says malformed_request"}


@pytest.mark.parametrize("body", ["name=%ff", "&".join(f"a{number}=1" for number in range(200))])
async def test_a_form_that_is_not_utf8_or_too_long_is_malformed(gateway: LocalGateway, body: str) -> None:
    assert await post(gateway, body, "application/x-www-form-urlencoded") == {"toy": "toy says malformed_request"}


async def test_a_body_over_the_limit_is_too_large_with_and_without_a_length() -> None:
    async def pieces() -> Any:
        for _ in range(40):
            yield b"x" * 1000

    async with local_gateway((toy(),), request_body_limit_bytes=20_000) as gateway:
        assert await post(gateway, b"x" * 20_001) == {"toy": "toy says payload_too_large"}
        assert await post(gateway, pieces()) == {"toy": "toy says payload_too_large"}
        assert await post(gateway, json.dumps({"name": "x" * 19_000})) != {"toy": "toy says payload_too_large"}


async def test_a_compressed_body_is_refused(gateway: LocalGateway) -> None:
    headers = JSON | {"Content-Encoding": "gzip"}
    async with gateway.client.post("/toy/echo", data=b"\x1f\x8b\x08", headers=headers) as answer:
        assert await answer.json() == {"toy": "toy says malformed_request"}
