"""Trusted time: RFC 3161 tokens over the exact bytes of a checkpoint file. The one home of `rfc3161_client`.

A token says that its message existed at an instant, on the word of a time-stamp authority. It is checked as of that
instant, so it stays good after the authority's certificate has expired (RFC 3161, appendix B).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from rfc3161_client import TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from rfc3161_client.tsp import PKIStatus

from provisioner.errors import LedgerError

if TYPE_CHECKING:
    from datetime import datetime

    from rfc3161_client import TimeStampResponse

HASHES = {
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
"""The digests that a token may be over, by object identifier."""

_TO_CERTIFICATES = ((0x30, 0), (0x30, 1), (0xA0, 0), (0x30, 0), (0xA0, 0))
"""From a TimeStampResp to the certificates of its SignedData: the tag at each level, and which one with that tag."""

_NO_ROOT = ("unable to get issuer certificate", "unable to get local issuer certificate")
"""What OpenSSL says of a chain that ends before a root."""


class TimeStampError(LedgerError):
    """A time stamp does not say what it should."""


class UnknownAuthorityError(TimeStampError):
    """A time stamp that may well be sound is by none of the authorities that somebody trusts."""


@dataclass(frozen=True)
class Authorities:
    """The root certificates of the time-stamp authorities that somebody trusts."""

    roots: tuple[x509.Certificate, ...]


@dataclass(frozen=True)
class Request:
    """What a time-stamp service is asked: the DER bytes to send, and the nonce that its answer must repeat."""

    body: bytes
    nonce: int


def parse_authorities(pem: bytes) -> Authorities:
    """Return the certificates of a PEM file, one at least; raises LedgerError when it holds none or a damaged one."""
    try:
        return Authorities(tuple(x509.load_pem_x509_certificates(pem)))
    except ValueError as error:
        raise LedgerError("no certificates of time-stamp authorities in PEM form are there") from error


def request(message: bytes) -> Request:
    """Return a new request for `message` (not empty): SHA-512, a random nonce, certificates asked for."""
    built = TimestampRequestBuilder().data(message).nonce(nonce=True).cert_request(cert_request=True).build()
    return Request(built.as_bytes(), built.nonce or 0)


def verify(token: bytes, message: bytes, *, authorities: Authorities, nonce: int | None = None) -> datetime:
    """Return the instant (aware, UTC) at which an authority says that `message` existed.

    `token` is a TimeStampResp in DER, as the service sent it; `nonce` is the request's, None when it is long gone.
    Raises TimeStampError: no token, not granted, over something else, another request's, or its signature or a
    certificate is bad; UnknownAuthorityError: nothing of that, but it is by no authority of these.
    """
    response = _parsed(token)
    if response.status != PKIStatus.GRANTED:
        said = "; ".join(response.status_string) if response.status_string else "no reason given"
        raise TimeStampError(f"the time-stamp service did not grant a token: status {response.status}, {said}")
    try:
        info = response.tst_info
        imprint, found = info.message_imprint, info.nonce
        algorithm = HASHES.get(imprint.hash_algorithm.dotted_string)
    except Exception as error:  # a foreign parser over foreign bytes
        raise TimeStampError(f"the time stamp cannot be read: {error}") from error
    if algorithm is None:
        raise TimeStampError(f"the time stamp is over a digest that we do not take: {imprint.hash_algorithm}")
    if hashlib.new(algorithm, message).digest() != imprint.message:
        raise TimeStampError("the time stamp is over other bytes, perhaps those of another checkpoint")
    if nonce is not None and found != nonce:
        raise TimeStampError("the time stamp answers another request: its nonce is not the one that was sent")
    try:
        VerifierBuilder(roots=list(authorities.roots)).build().verify_message(response, message)
    except Exception as error:  # the same
        kind = UnknownAuthorityError if _is_strangers(response, message) else TimeStampError
        raise kind(f"no authority of those trusted vouches for the time stamp: {_reason(error)}") from error
    return info.gen_time


def _is_strangers(response: TimeStampResponse, message: bytes) -> bool:
    """Whether the token agrees with the certificates in it: then all that it lacks is somebody who trusts their root.

    Of one that does not carry its root, no more can be told than that the root is missing.
    """
    own: list[x509.Certificate] = []
    try:
        own = [x509.load_der_x509_certificate(certificate) for certificate in response.signed_data.certificates]
        VerifierBuilder(roots=own).build().verify_message(response, message)
    except Exception as error:  # the same
        return _reason(error) in _NO_ROOT and not _carries_root(own)
    return True


def _carries_root(certificates: list[x509.Certificate]) -> bool:
    """Whether one of them signed itself; of one whose names cannot be read it is taken for granted."""
    try:
        return any(one.issuer == one.subject for one in certificates)
    except ValueError:
        return True


def _reason(error: Exception) -> str:
    """Return the sentence in what OpenSSL says of a chain, such as `certificate has expired`; else the error's own."""
    said = re.search(r"Verify error: ([^\"]+)", str(error))
    return said[1] if said else str(error).splitlines()[0][:200]


def _parsed(token: bytes) -> TimeStampResponse:
    try:
        return decode_timestamp_response(_sorted_certificates(token))
    except Exception as error:  # a foreign parser over foreign bytes
        raise TimeStampError(f"not a time stamp: {str(error)[:200]}") from error


def _sorted_certificates(token: bytes) -> bytes:
    """Return the token with its certificates in DER's order, which the parser insists on and OpenSSL does not keep.

    They are no part of what is signed (RFC 5652, section 5.4). Raises ValueError for what is not DER.
    """
    inside, end = 0, len(token)
    for tag, which in _TO_CERTIFICATES:
        found = [element for element in _elements(token, inside, end) if token[element[0]] == tag]
        if len(found) <= which:
            return token  # a refusal holds no token, a bare token no certificates
        _, inside, end = found[which]
    certificates = sorted(token[first:last] for first, _, last in _elements(token, inside, end))
    return token[:inside] + b"".join(certificates) + token[end:]


def _elements(data: bytes, start: int, end: int) -> list[tuple[int, int, int]]:
    """Return where each DER element in [start, end) begins, where its content begins, and where it ends."""
    found = []
    while start < end:
        if end - start < 2:
            raise ValueError("cut short")
        length, inside = data[start + 1], start + 2
        if length & 0x80:
            count = length & 0x7F
            length, inside = int.from_bytes(data[inside : inside + count]), inside + count
        if inside + length > end:
            raise ValueError("an element is longer than what holds it")
        found.append((start, inside, inside + length))
        start = inside + length
    return found
