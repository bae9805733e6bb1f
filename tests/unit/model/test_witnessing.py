from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import LedgerError
from provisioner.model.witnessing import BODY_LIMIT, PROOF_LIMIT, Submission, parse_submission

HASHES = st.binary(min_size=32, max_size=32)

# The request printed in c2sp.org/tlog-witness, its second signature line left out.
C2SP_REQUEST = """\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""


def test_the_example_of_the_specification_is_read_and_written() -> None:
    found = parse_submission(C2SP_REQUEST.encode())
    assert (found.old, len(found.proof), found.note.splitlines()[1]) == (20852014, 4, "20852163")
    assert found.render().decode() == C2SP_REQUEST


@given(st.integers(0, 10**18), st.lists(HASHES, max_size=PROOF_LIMIT), st.text())
def test_submissions_round_trip(old: int, proof: list[bytes], note: str) -> None:
    submission = Submission(old, tuple(proof), note)
    if len(submission.render()) <= BODY_LIMIT:
        assert parse_submission(submission.render()) == submission


GOOD = Submission(3, (bytes(32),), "a\n").render()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        GOOD.replace(b"old 3", b"old 03"),
        GOOD.replace(b"old 3", b"old -3"),
        GOOD.replace(b"old 3", b"old  3"),
        GOOD.replace(b"old 3", b"old 3\r"),
        GOOD.replace(b"old 3", "old ٣".encode()),
        GOOD.replace(b"old 3", b"old " + b"9" * 30),
        GOOD.replace(b"old 3\n", b""),
        GOOD.replace(b"A=", b"B="),
        GOOD.replace(b"A=", b""),
        GOOD.replace(b"A=", b"A= "),
        GOOD.replace(b"\n\n", b"\n"),
        GOOD + b"\xff",
        Submission(3, (bytes(32),) * (PROOF_LIMIT + 1), "a\n").render(),
        GOOD + b"a" * BODY_LIMIT,
    ],
)
def test_what_is_not_exactly_a_submission_is_refused(body: bytes) -> None:
    with pytest.raises(LedgerError):
        parse_submission(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    with suppress(LedgerError):
        assert parse_submission(body).render() == body
