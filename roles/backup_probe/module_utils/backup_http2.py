# Copyright the provisioner authors. SPDX-License-Identifier: Apache-2.0
"""As much of HTTP/2 (RFC 9113, with prior knowledge) as one request over a program's pipes needs.

Each request has a connection of its own: header compression then knows no earlier header, and the status, which comes
first, is read without any table (RFC 7541, 6.1 and 6.2). Standard library only.
"""

from __future__ import annotations

import hashlib
import os
import select
import struct
import subprocess
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 0x20
WIDE = (1 << 31) - 1
STATUS = {0x88: 200, 0x89: 204, 0x8A: 206, 0x8B: 304, 0x8C: 400, 0x8D: 404, 0x8E: 500}
"""The statuses that HPACK's static table has by themselves."""

NAMED = frozenset(form | index for form in (0x40, 0x00, 0x10) for index in range(8, 15))
"""How a field begins whose name is that of a row of the static table about `:status`, and whose value follows."""

LARGEST = 256 << 20
"""Bytes of an answer that are read."""


class NoAnswer(Exception):
    """The other side gave no answer that is one."""


class Answer:
    """A status and a body; `digest` is that of the body, hex."""

    def __init__(self, status, body):
        self.status, self.body = status, body

    @property
    def digest(self):
        """SHA-256 of the body, hex."""
        return hashlib.sha256(self.body).hexdigest()


def ask(command, method, path, *, body=b"", seconds=60):
    """Run `command`, send one request through it and return the Answer; raise NoAnswer when none comes in time."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    ) as process:
        try:
            return _talk(process, _request(method, path, body), time.monotonic() + seconds)
        except BrokenPipeError:
            raise NoAnswer("the connection was closed") from None
        finally:
            process.kill()


def frame(kind, flags, stream, payload):
    """One frame (RFC 9113, 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _request(method, path, body):
    settings = struct.pack(">HI", 1, 0) + struct.pack(">HI", 4, WIDE)  # no table of headers, a wide window
    fields = {":method": method, ":scheme": "http", ":path": path, ":authority": "localhost"}
    fields |= {"accept": "application/vnd.x.restic.rest.v2", "content-length": str(len(body))}
    block = b"".join(_literal(name.encode(), value.encode()) for name, value in fields.items())
    parts = [PREFACE, frame(SETTINGS, 0, 0, settings), frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WIDE - 65535))]
    parts.append(frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), 1, block))
    parts += [frame(DATA, END_STREAM, 1, body)] if body else []
    return b"".join(parts)


def _literal(name, value):
    """A header field without indexing, in plain bytes (RFC 7541, 6.2.2); both are shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def _talk(process, request, deadline):
    process.stdin.write(request)
    read, status, body = _reader(process.stdout, deadline), None, bytearray()
    while True:
        head = read(9)
        size, kind, flags = int.from_bytes(head[:3], "big"), head[3], head[4]
        payload = read(size)
        if kind == SETTINGS and not flags & ACK:
            process.stdin.write(frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            process.stdin.write(frame(PING, ACK, 0, payload))
        elif kind in (RST_STREAM, GOAWAY):
            raise NoAnswer("the request was ended by the other side")
        elif kind == HEADERS and status is None:
            status = _status(_plain(payload, flags))
        elif kind == DATA:
            body += _plain(payload, flags)
            if len(body) > LARGEST:
                raise NoAnswer("the answer is too large")
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            return Answer(status, bytes(body))


def _plain(payload, flags):
    """A payload without its padding and priority (RFC 9113, 6.1 and 6.2)."""
    if flags & PADDED:
        payload = payload[1 : len(payload) - payload[0]]
    return payload[5:] if flags & PRIORITY else payload


def _status(block):
    while block and block[0] & 0xE0 == 0x20:  # the size of the table, RFC 7541, 6.3
        block = block[1:]
    if block[:1] and block[0] in STATUS:
        return STATUS[block[0]]
    if len(block) > 1 and block[0] in NAMED:
        text = block[2 : 2 + (block[1] & 0x7F)]
        digits = _huffman(text) if block[1] & 0x80 else text.decode("latin-1")
        if len(digits) == 3 and digits.isdecimal():
            return int(digits)
    raise NoAnswer("the answer has no status that can be read")


def _huffman(text):
    """Digits in Huffman's code (RFC 7541, appendix B): five bits for 0 to 2, six for 3 to 9, padded with ones."""
    bits, found = "".join(f"{byte:08b}" for byte in text), ""
    while len(bits) >= 5 and "0" in bits:
        size = 5 if bits[:5] in ("00000", "00001", "00010") else 6
        digit = int(bits[:size], 2) - (0 if size == 5 else 0b011001 - 3)
        if not 0 <= digit <= 9 or len(bits) < size:
            return ""
        found, bits = found + str(digit), bits[size:]
    return found


def _reader(stream, deadline):
    kept = bytearray()

    def read(size):
        while len(kept) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([stream], [], [], left)[0]:
                raise NoAnswer("no answer in time")
            block = os.read(stream.fileno(), 1 << 16)
            if not block:
                raise NoAnswer("the connection was closed")
            kept.extend(block)
        found = bytes(kept[:size])
        del kept[:size]
        return found

    return read
