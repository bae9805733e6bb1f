"""RFC 3161 tokens by a local `openssl ts` authority: an answer is good for one message, one request, one authority."""

from __future__ import annotations

import hashlib
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests._authority import Authority

from provisioner.errors import LedgerError
from provisioner.ledger import timestamp
from provisioner.ledger.timestamp import (
    Authorities,
    TimeStampError,
    UnknownAuthorityError,
    parse_authorities,
    request,
    verify,
)

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b"provisioner/demo\n5\n..."


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def trusted(authority: Authority) -> Authorities:
    return parse_authorities(authority.roots.read_bytes())


@pytest.fixture(scope="module")
def token(authority: Authority) -> bytes:
    return authority.answer(request(MESSAGE).body)


def test_a_token_gives_its_instant(authority: Authority, trusted: Authorities) -> None:
    asked = request(MESSAGE)
    before = datetime.now(UTC).replace(microsecond=0)
    at = verify(authority.answer(asked.body), MESSAGE, authorities=trusted, nonce=asked.nonce)
    assert before <= at <= datetime.now(UTC)
    assert at.utcoffset() == timedelta(0)


def test_certificates_come_in_any_order(authority: Authority, trusted: Authorities) -> None:
    """OpenSSL sends them as configured, the parser takes them sorted only; new keys each time make both occur."""
    orders = set()
    for number in range(12):
        other = Authority(authority.folder / f"order-{number}")
        answer = other.answer(request(MESSAGE).body)
        orders.add(timestamp._sorted_certificates(answer) == answer)
        verify(answer, MESSAGE, authorities=parse_authorities(other.roots.read_bytes()))
        if orders == {True, False}:
            break
    assert False in orders


def test_a_request_asks_anew_each_time() -> None:
    one, two = request(MESSAGE), request(MESSAGE)
    assert one.nonce != two.nonce
    assert hashlib.sha512(MESSAGE).digest() in one.body


def refused(token: bytes, message: bytes, trusted: Authorities, *, nonce: int | None = None) -> str:
    with pytest.raises(TimeStampError) as caught:
        verify(token, message, authorities=trusted, nonce=nonce)
    return str(caught.value)


def test_each_way_to_be_wrong_has_its_sentence(
    token: bytes, authority: Authority, trusted: Authorities, tmp_path: Path
) -> None:
    assert "other bytes" in refused(token, b"another checkpoint", trusted)
    assert "another request" in refused(token, MESSAGE, trusted, nonce=request(MESSAGE).nonce)
    stranger = parse_authorities(Authority(tmp_path / "stranger").roots.read_bytes())
    assert "no authority of those trusted vouches for the time stamp" in refused(token, MESSAGE, stranger)
    assert "did not grant a token: status 2" in refused(authority.answer(b"0\x00"), MESSAGE, trusted)
    for damaged in (b"", b"x", token[:-1], token + b"x", b"\x30\x80" + token):
        assert "not a time stamp" in refused(damaged, MESSAGE, trusted)


@pytest.mark.parametrize("sent", ["all", "no root", "the signer alone"])
def test_a_strangers_token_is_told_from_a_damaged_one(trusted: Authorities, tmp_path: Path, sent: str) -> None:
    other = Authority(tmp_path)
    if sent != "all":
        chain = other.folder / "chain.pem"
        middle = chain.read_bytes().partition(b"-----END CERTIFICATE-----\n")
        chain.write_bytes(b"".join(middle[:2]) if sent == "no root" else (other.folder / "tsa.pem").read_bytes())
    token = other.answer(request(MESSAGE).body)
    with pytest.raises(UnknownAuthorityError):
        verify(token, MESSAGE, authorities=trusted)
    with pytest.raises(TimeStampError) as caught:
        verify(token, b"another checkpoint", authorities=trusted)
    assert not isinstance(caught.value, UnknownAuthorityError)


def test_a_changed_token_of_a_trusted_authority_is_never_taken_for_a_strangers(
    token: bytes, trusted: Authorities
) -> None:
    for where in range(0, len(token), 7):
        changed = bytearray(token)
        changed[where] ^= 1
        try:
            verify(bytes(changed), MESSAGE, authorities=trusted)
        except TimeStampError as error:
            assert not isinstance(error, UnknownAuthorityError), where


def test_a_token_for_an_md5_of_the_message_is_refused(authority: Authority, trusted: Authorities) -> None:
    config = authority.folder / "tsa.cnf"
    before = config.read_text()
    config.write_text(before.replace("sha512", "md5"))
    query = subprocess.run(
        ["openssl", "ts", "-query", "-md5", "-data", "/dev/stdin"], input=MESSAGE, capture_output=True, check=True
    ).stdout
    try:
        assert "a digest that we do not take" in refused(authority.answer(query), MESSAGE, trusted)
    finally:
        config.write_text(before)


def test_a_token_stays_good_after_the_certificate_and_none_made_later_is(tmp_path: Path) -> None:
    """The certificate ends two seconds after it is made: the test waits for that, nothing shorter is to be had."""
    authority = Authority(tmp_path, seconds=3)
    trusted = parse_authorities(authority.roots.read_bytes())
    kept = authority.answer(request(MESSAGE).body)
    assert verify(kept, MESSAGE, authorities=trusted) <= authority.ends
    while datetime.now(UTC) < authority.ends + timedelta(seconds=1):
        time.sleep(0.1)
    assert verify(kept, MESSAGE, authorities=trusted) <= authority.ends
    late = authority.answer(request(MESSAGE).body)
    assert "certificate has expired" in refused(late, MESSAGE, trusted)
    today = ["openssl", "ts", "-verify", "-in", "reply", "-queryfile", "query", "-CAfile", "roots.pem"]
    found = subprocess.run([*today, "-untrusted", "chain.pem"], cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 1, "the control: to openssl, without -attime, the certificate has expired too"


@pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_certificates_is_refused(pem: bytes) -> None:
    with pytest.raises(LedgerError, match="no certificates"):
        parse_authorities(pem)


@settings(max_examples=300, deadline=None)
@given(where=st.integers(0, 3000), bit=st.integers(0, 7))
def test_a_changed_token_is_refused_with_a_sentence_or_says_the_same(
    token: bytes, trusted: Authorities, where: int, bit: int
) -> None:
    changed = bytearray(token)
    changed[where % len(token)] ^= 1 << bit
    try:
        assert verify(bytes(changed), MESSAGE, authorities=trusted) == verify(token, MESSAGE, authorities=trusted)
    except TimeStampError as error:
        assert str(error)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(trusted: Authorities, data: bytes) -> None:
    refused(data, MESSAGE, trusted)
