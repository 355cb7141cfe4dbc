"""Whatever lies in a file that the command or a service reads is taken or refused in words, and soon."""

import io
import json
import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest
import typer
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm
from security.fuzzing import fuzzed, hostile, soon, storable

from auth_service import history
from auth_service.audit import describe
from auth_service.store.audit import Event
from auth_service.store.kept import KeptAccount, KeptApp, KeptLink
from gatepost_cli import by_hand, exported, private_json, secrets_file, state
from gatepost_cli.backup import archive
from gatepost_cli.commands import audit
from gatepost_cli.data_dir import DataDir
from gatepost_cli.errors import CommandFailed
from runtime.breached import BreachedPasswords, compile_list
from user_service.media import checked

PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY_SET = json.dumps({"keys": [ECAlgorithm.to_jwk(PRIVATE.public_key(), as_dict=True) | {"kid": "k", "alg": "ES256"}]})
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | hostile,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(hostile, inner, max_size=4),
    max_leaves=4,
)
documents = anything.map(lambda value: json.dumps(value).encode())
DEEP = b"[" * 5000
spoils = st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8))
moments = st.datetimes(timezones=st.just(UTC))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


def spoiled(content: bytes, spoil: tuple[int, bytes]) -> bytes:
    at, put = spoil[0] % len(content), spoil[1]
    return content[:at] + put + content[at + len(put) :]


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# Backups.


def backup(path: Path, members: dict[str, bytes], manifest: dict[str, Any]) -> bytes:
    path.unlink(missing_ok=True)
    with archive.writing(path) as writer:
        for name, content in members.items():
            writer.add(name, content)
        writer.finish(manifest)
    return path.read_bytes()


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=120).map(lambda name: f"auth/{name}")


@fuzzed(40)
@given(st.dictionaries(names, st.binary(max_size=600), max_size=4), st.dictionaries(storable, st.integers()))
def test_a_backup_is_read_as_it_was_written(folder: Path, members: dict[str, bytes], more: dict[str, int]) -> None:
    manifest = more | {"format": archive.FORMAT}
    backup(folder / "whole.tar", members, manifest)
    with archive.reading(folder / "whole.tar") as reader:
        assert reader.manifest == manifest
        assert dict(reader.below("auth")) == {name.removeprefix("auth/"): content for name, content in members.items()}


@fuzzed(60)
@given(spoils, st.integers(0, 1 << 20), st.binary(max_size=600))
def test_a_backup_that_is_not_whole_is_refused(folder: Path, spoil: tuple[int, bytes], end: int, raw: bytes) -> None:
    whole = backup(folder / "whole.tar", {"auth/a/000001": b"rows"}, {"format": archive.FORMAT})
    for content in (spoiled(whole, spoil), whole[: end % len(whole)], raw, raw + whole):
        try:
            with archive.reading(put(folder / "spoiled.tar", content)) as reader:
                found = reader.manifest, dict(reader.below("auth"))
        except CommandFailed as refused:
            assert "spoiled.tar" in refused.message  # noqa: PT017 says which
        else:  # what was spoilt is not read, as a date or the end of a block
            assert found == ({"format": archive.FORMAT}, {"a/000001": b"rows"})


@fuzzed(40)
@given(documents | st.just(DEEP) | st.binary(max_size=20))
def test_a_backup_whose_manifest_is_none_is_refused(folder: Path, manifest: bytes) -> None:
    path = folder / "odd.tar"
    path.unlink(missing_ok=True)
    with archive.writing(path) as writer:
        writer.add(archive.MANIFEST, manifest)
        writer._put(archive.SUMS, "".join(writer._sums).encode())
    with pytest.raises(CommandFailed, match=r"odd\.tar"), archive.reading(path):
        pass


@fuzzed(40)
@given(hostile)
def test_a_picture_of_a_backup_has_a_name_of_ours_or_none(text: str) -> None:
    for name in (text, f"{'a' * 32}/{text}", f"../{'a' * 32}/whole", f"{'a' * 32}/whole\n"):
        try:
            assert re.fullmatch(r"[0-9a-f]{32}/[a-z]+", checked(name))
        except ValueError:
            continue


# What happened since a backup.


def since(lines: str) -> list[Event]:
    """Read a history as `catch_up` does, without a database."""
    return [history.event(document) for document in history.documents(lines.splitlines())]


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
events = st.builds(
    Event, st.integers(1, 2**63 - 1), moments, texts, texts, texts, st.none() | st.uuids(), texts, texts, texts, texts
)


@fuzzed(60)
@given(events)
def test_an_event_is_heard_as_it_was_told(event: Event) -> None:
    assert since(json.dumps(describe(event)) + "\n" + TRAIL[TRAIL.index(b'{"export') :].decode()) == [event]


optional = st.none() | moments
names_kept = st.tuples(texts, texts, texts, optional)
links_kept = st.builds(KeptLink, st.binary(), texts, st.dictionaries(texts, texts, max_size=2), moments, moments)


@fuzzed(60)
@given(
    st.builds(
        KeptAccount,
        st.uuids(),
        texts,
        texts,
        optional,
        st.none() | texts,
        st.lists(names_kept, max_size=2).map(tuple),
        st.lists(links_kept, max_size=2).map(tuple),
    ),
    st.builds(KeptApp, texts, st.booleans(), st.lists(st.uuids(), max_size=3).map(tuple)),
)
def test_what_is_kept_is_read_as_it_was_told(account: KeptAccount, app: KeptApp) -> None:
    told, *more = history.documents(map(json.dumps, (history.of_account(account), history.of_app(app))))
    assert (history.account(told), history.app(*more)) == (account, app)


@fuzzed(60)
@given(
    st.dictionaries(st.sampled_from(["id", "time", "action", "outcome", "user_id", "client_id"]), anything),
    anything,
    st.sampled_from(["id", "time", "action", "outcome", "user_id", "actor"]),
    documents | st.just(DEEP) | st.binary(max_size=20),
)
def test_a_line_that_is_no_event_is_refused_in_words(
    document: dict[str, Any], other: object, name: str, line: bytes
) -> None:
    whole = describe(Event(1, datetime(2026, 1, 1, tzinfo=UTC), "a.b", "success", "x", UUID(int=7), "", "", "", ""))
    for tried in (json.dumps(document), json.dumps(whole | {name: other}), line.decode(errors="replace")):
        try:
            heard = since(tried)
        except ValueError as refused:
            assert "history" in str(refused)  # noqa: PT017 and nothing else
        else:
            for event in heard:
                assert isinstance(event, Event)
                assert 0 < event.id < 2**63
                assert event.at.utcoffset() is not None
                assert all(isinstance(value, str) and "\0" not in value for value in event.values()[1:4])


@fuzzed(40)
@given(
    st.dictionaries(
        st.sampled_from(["user_id", "role", "identifiers", "client_id", "secrets", "ids", "disabled"]), anything
    )
)
def test_a_line_of_what_is_kept_is_read_or_refused_in_words(document: dict[str, Any]) -> None:
    for read in (history.account, history.app, history.keys, history.projects):
        try:
            read(document)
        except ValueError as refused:
            assert "history" in str(refused)  # noqa: PT017 and nothing else


# The exported audit trail.


def signed(content: bytes) -> bytes:
    whole = jwt.PyJWS().encode(sha256(content).digest(), PRIVATE, "ES256", headers={"kid": "k", "typ": exported.KIND})
    head, _, signature = whole.split(".")
    return content + json.dumps({"jws": f"{head}..{signature}"}).encode() + b"\n"


TRAIL = signed(b'{"id": 1}\n{"export": {"events": 1}}\n')


@fuzzed(60)
@given(st.lists(anything, max_size=4), st.dictionaries(storable, st.integers(), max_size=3))
def test_a_trail_is_verified_as_it_was_exported(folder: Path, lines: list[object], export: dict[str, int]) -> None:
    above = "".join(json.dumps(line) + "\n" for line in [*lines, {"export": export}]).encode()
    found = exported.check(put(folder / "trail.jsonl", signed(above)), KEY_SET)
    assert found == exported.Signed(len(lines), "k", export)


@fuzzed(60)
@given(spoils, st.integers(0, 1 << 20), st.lists(documents | st.binary(max_size=20), max_size=3), anything)
def test_no_other_file_is_an_exported_trail(
    folder: Path, spoil: tuple[int, bytes], end: int, lines: list[bytes], jws: object
) -> None:
    head = urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": jws}).encode()).decode()
    last = [json.dumps({"jws": each}).encode() for each in (jws, f"{jws}..{jws}", f"{head}..AAAA")]
    body = TRAIL[: TRAIL.index(b'{"jws')]
    tried = [
        spoiled(TRAIL, spoil),
        TRAIL[: end % len(TRAIL)],
        b"\n".join(lines),
        *(body + each + b"\n" for each in last),
    ]
    for content in tried:
        if content != TRAIL:
            with pytest.raises(CommandFailed):
                exported.check(put(folder / "trail.jsonl", content), KEY_SET)


@fuzzed(40)
@given(documents | st.just(DEEP), anything)
def test_no_other_text_is_a_key_set(folder: Path, text: bytes, keys: object) -> None:
    path = put(folder / "trail.jsonl", TRAIL)
    for key_set in (text.decode(), json.dumps({"keys": keys}), json.dumps({"keys": [{"kty": "EC", "x": keys}]})):
        with pytest.raises(CommandFailed):
            exported.check(path, key_set)


@pytest.mark.parametrize("piece", [b"[", b'{"a":', b'"jws"', b"\n", b"{}\n"])
def test_a_trail_built_to_be_slow_is_not(folder: Path, piece: bytes) -> None:
    path = put(folder / "slow.jsonl", piece * (3_000_000 // len(piece)) + b"\n")
    with soon(), pytest.raises(CommandFailed):
        exported.check(path, KEY_SET)


# The list of breached passwords.


@fuzzed(40)
@given(st.sets(storable, max_size=8), storable)
def test_who_is_on_the_list_of_breached_passwords_is_found_there(listed: set[str], other: str) -> None:
    out = io.BytesIO()
    hashes = sorted(sha1(each.encode(), usedforsecurity=False).hexdigest() for each in listed)
    assert compile_list((f"{each}:3" for each in hashes), out) == len(listed)
    made = BreachedPasswords(out.getvalue())
    assert all(each in made for each in listed)
    assert (other in made) is (other in listed)


@fuzzed(60)
@given(st.lists(hostile | st.from_regex(r"[0-9a-fA-F]{38,42}(:[0-9]{0,3})?", fullmatch=True), max_size=4))
def test_any_lines_are_a_list_of_breached_passwords_or_refused(lines: list[str]) -> None:
    for tried in (lines, sorted(lines)):
        try:
            compile_list(tried, io.BytesIO())
        except ValueError as refused:
            assert str(refused).startswith("line ")  # noqa: PT017 says which


@fuzzed(25)
@given(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), storable, st.binary(max_size=50))
def test_any_file_is_a_list_of_breached_passwords_or_refused(
    folder: Path, spoil: tuple[int, bytes], password: str, raw: bytes
) -> None:
    out = io.BytesIO()
    compile_list([sha1(b"listed", usedforsecurity=False).hexdigest()], out)
    for content in (spoiled(out.getvalue(), spoil), out.getvalue()[:-1], raw):
        try:
            made = BreachedPasswords.open(put(folder / "list", content))
        except ValueError as refused:
            assert "is no list" in str(refused)  # noqa: PT017 and nothing else
        else:
            assert (password in made) in {True, False}


# The command's own.


@fuzzed(40)
@given(documents | st.just(DEEP) | st.binary(max_size=30), st.dictionaries(hostile, anything, max_size=3))
def test_any_file_is_a_document_of_ours_or_none(folder: Path, content: bytes, document: dict[str, Any]) -> None:
    where = DataDir(folder)
    for tried in (content, json.dumps(document).encode(), json.dumps({"service_keys": document}).encode()):
        found = private_json.read(put(where.state, tried))
        assert found is None or isinstance(found, dict)
        assert state.read(where) is None
        put(where.secrets, tried)
        with pytest.raises(CommandFailed, match="damaged"):
            secrets_file.load(where)


@fuzzed(60)
@given(st.dictionaries(storable, anything, max_size=3))
def test_a_document_of_ours_is_read_as_it_was_written(folder: Path, document: dict[str, Any]) -> None:
    private_json.write(folder / "document.json", document)
    assert json.dumps(private_json.read(folder / "document.json")) == json.dumps(document)
    assert (folder / "document.json").stat().st_mode & 0o777 == 0o600


@fuzzed(40)
@given(st.lists(documents | st.binary(max_size=20) | hostile.map(lambda text: ("{" + text).encode("utf-8", "replace"))))
def test_the_words_of_a_service_by_hand_are_documents_or_passed_over(lines: list[bytes]) -> None:
    for document in by_hand.documents(b"\n".join([*lines, DEEP, b"{" + DEEP, b'{"settled": 1}'])):
        assert isinstance(document, dict)


@fuzzed(40)
@given(hostile, st.datetimes(), st.sampled_from(["", "Z", "+14:00", "-23:59", "+00:00:01"]))
def test_a_time_is_one_or_refused(text: str, at: datetime, zone: str) -> None:
    for given_time in (text, at.isoformat() + zone, at.isoformat() + text, "0001-01-01T00:00+14:00"):
        try:
            found = audit._time("since", given_time)
        except typer.BadParameter:
            continue
        assert found.ToDatetime(UTC).tzinfo is UTC
