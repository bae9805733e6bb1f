"""What verification must say of each kind of tampering under each adversary: one table, for the campaign and the page.

Each row cites the sentence of docs/explanation/ledger.md that it follows from. `rendered` is the table as
docs/explanation/tampering.md shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby


class Kind(StrEnum):
    EDIT = "edit"
    DELETE = "delete"
    INSERT = "insert"
    SWAP = "swap"
    TRUNCATE = "truncate"
    ROLL_BACK = "roll back"
    FORK = "fork"
    BACKDATE = "backdate"
    RESIGN = "re-sign with another key"
    DROP_WAL = "drop the write-ahead log"
    SCHEMA = "change the schema"
    UNICODE = "unicode-equivalent edit"
    DUPLICATE = "duplicate"
    SPLICE = "splice from another client"


class Adversary(StrEnum):
    DATABASE = "a"
    FOLDER = "b"
    KEY = "c"


class Way(StrEnum):
    """How they go about it."""

    LEFT = "entries changed, well-formed and numbered; the cached hashes left as they were"
    CLUMSY = "entries changed, not well-formed or not numbered anew"
    ANEW = "entries changed, the cached hashes made to fit"
    COPY = "an older copy of the database put back"
    ABOVE = "entries changed or added above the last checkpoint"
    CLUMSY_ABOVE = "the same, not well-formed or not numbered anew"
    COPY_ABOVE = "an older copy put back that lacks only what no checkpoint covers"
    TEXTS = "a contract text or a personal value changed"
    NAMES = "the name behind a pseudonym changed; contract texts or personal values removed"
    TABLES = "tables, columns or triggers changed, the bytes of the entries kept"
    OWN_KEY = "everything they can write to made anew, signed with a new key of their own"
    REMOVED = "entries changed, the checkpoints that contradict them removed"
    UNSIGNED = "entries changed, every checkpoint rewritten, signed with a key that is not the log's"
    ENDED = "the end cut off at a checkpoint, the later checkpoints removed"
    OLD_FOLDER = "an older copy of the whole folder put back"
    SIGNED = "entries changed, every checkpoint rewritten and signed with the true key"


class Said(StrEnum):
    """What verification says, in the words of the page. NO_SUCH: nothing signed covers the place."""

    FINE = "not detected"
    WARNED = "OK, warning"
    UNANCHORED = "UNANCHORED"
    EXACT = "TAMPERED, exact"
    RANGE = "TAMPERED, range"
    FIRST = "TAMPERED, entry 0"
    BESIDE = "TAMPERED, no entry"
    NO_SUCH = "there is none"
    REFUSED = "refused: nothing to compare"


REFUSES, GOES_ON, UNTRIED = "refuses", "goes on", ""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One row: what is said with nothing outside, with a checkpoint kept from before or after the place, with a
    fingerprint; and what the next command of ours does.
    """

    adversary: Adversary
    way: Way
    kinds: tuple[Kind, ...]
    nothing: Said
    older: Said
    newer: Said
    fingerprint: Said
    following: str = UNTRIED


ENTRIES: tuple[Kind, ...] = (
    *(Kind.EDIT, Kind.DELETE, Kind.INSERT, Kind.SWAP, Kind.FORK, Kind.BACKDATE, Kind.UNICODE, Kind.DUPLICATE),
    Kind.SPLICE,
)
MISPLACED = (Kind.EDIT, Kind.DELETE, Kind.INSERT, Kind.SWAP, Kind.DUPLICATE, Kind.SPLICE)
COPIES = (Kind.ROLL_BACK, Kind.DROP_WAL)


def _always(said: Said) -> dict[str, Said]:
    return dict.fromkeys(("nothing", "older", "newer", "fingerprint"), said)


def _only_newer(said: Said) -> dict[str, Said]:
    """Nothing but a checkpoint that covers the place contradicts it."""
    return {"nothing": said, "older": said, "newer": Said.RANGE, "fingerprint": said}


A, B, C = Adversary

TABLE = (
    # "Every edit, removal, insertion, reordering, backdating, duplicate, splice from another log, rollback or lost
    # write-ahead log below the last checkpoint is TAMPERED"; "the first bad entry is exact while the hashes that the
    # writer cached in the database are intact"
    Expected(adversary=A, way=Way.LEFT, kinds=(*ENTRIES, Kind.TRUNCATE), **_always(Said.EXACT)),
    Expected(adversary=A, way=Way.CLUMSY, kinds=MISPLACED, **_always(Said.EXACT)),
    # "If these were destroyed too, the answer is the first entry after the last checkpoint that still holds"
    Expected(adversary=A, way=Way.ANEW, kinds=(*ENTRIES, Kind.TRUNCATE), **_always(Said.RANGE)),
    Expected(adversary=A, way=Way.COPY, kinds=COPIES, **_always(Said.RANGE)),
    # "Entries that they append are UNANCHORED, and the next command refuses to go on"
    Expected(
        adversary=A,
        way=Way.ABOVE,
        kinds=(*ENTRIES, Kind.TRUNCATE),
        **(_always(Said.UNANCHORED) | {"newer": Said.NO_SUCH}),
        following=REFUSES,
    ),
    Expected(
        adversary=A,
        way=Way.CLUMSY_ABOVE,
        kinds=(Kind.EDIT, Kind.DELETE, Kind.SWAP, Kind.DUPLICATE),
        **(_always(Said.EXACT) | {"newer": Said.NO_SUCH}),
    ),
    # "Entries of ours that a crash kept from being published can be rolled back unseen"
    Expected(
        adversary=A,
        way=Way.COPY_ABOVE,
        kinds=COPIES,
        **(_always(Said.FINE) | {"newer": Said.NO_SUCH}),
        following=GOES_ON,
    ),
    # "A changed personal value or contract text no longer matches its reference", so it is as bad as a changed entry
    Expected(adversary=A, way=Way.TEXTS, kinds=(Kind.EDIT, Kind.UNICODE), **_always(Said.BESIDE)),
    # "change who a pseudonym stands for (that does not show ...), remove personal values or contract texts (as a lawful
    # erasure does)"
    Expected(adversary=A, way=Way.NAMES, kinds=(Kind.EDIT,), **_always(Said.FINE)),
    # The key of entry 0 is "not the one in the state folder", which (a) cannot write to
    Expected(adversary=A, way=Way.OWN_KEY, kinds=(Kind.RESIGN,), **_always(Said.FIRST), following=REFUSES),
    # What they can still do: "remove the triggers that refuse changes (a warning)"
    Expected(adversary=A, way=Way.TABLES, kinds=(Kind.SCHEMA,), **_always(Said.WARNED)),
    # "They can put back an older log with its older checkpoints, or start a new log with a new key. Both agree with
    # themselves: not detected, unless you compare with a checkpoint or a key fingerprint that you kept"
    Expected(
        adversary=B,
        way=Way.OWN_KEY,
        kinds=(*ENTRIES, Kind.TRUNCATE, Kind.RESIGN),
        **(_always(Said.FIRST) | {"nothing": Said.FINE}),
        following=GOES_ON,
    ),
    # "something is not as it was signed; the first bad index is named where one can be"
    Expected(
        adversary=B,
        way=Way.UNSIGNED,
        kinds=(*ENTRIES, Kind.TRUNCATE),
        **_only_newer(Said.BESIDE),
        following=REFUSES,
    ),
    Expected(adversary=B, way=Way.OLD_FOLDER, kinds=COPIES, **_only_newer(Said.FINE), following=GOES_ON),
    Expected(adversary=B, way=Way.ENDED, kinds=(Kind.TRUNCATE,), **_only_newer(Said.FINE), following=GOES_ON),
    # "UNANCHORED: everything re-derives, but no checkpoint covers the last entries yet"; "entries that no checkpoint
    # and no pending note cover were written by somebody else: the command refuses"
    Expected(adversary=B, way=Way.REMOVED, kinds=ENTRIES, **_only_newer(Said.UNANCHORED), following=REFUSES),
    Expected(adversary=B, way=Way.TABLES, kinds=(Kind.SCHEMA,), **_always(Said.WARNED)),
    # "They can rewrite everything and sign it. Not detected, except for entries under a checkpoint kept outside"
    Expected(
        adversary=C,
        way=Way.SIGNED,
        kinds=(*ENTRIES, Kind.TRUNCATE, *COPIES),
        **_only_newer(Said.FINE),
        following=GOES_ON,
    ),
    Expected(
        adversary=C,
        way=Way.OWN_KEY,
        kinds=(Kind.RESIGN,),
        **(_always(Said.FIRST) | {"nothing": Said.FINE}),
        following=GOES_ON,
    ),
    Expected(adversary=C, way=Way.TABLES, kinds=(Kind.SCHEMA,), **_always(Said.WARNED)),
)


class Fate(StrEnum):
    """What becomes of the cosigned checkpoint that covers the place."""

    LEFT = "left where it lies"
    MOVED = "its cosignature put on a checkpoint of their own"
    FORGED = "cosigned by a key of their own in the name of the witness"
    REMOVED = "removed, with every other"
    OLDER = "removed, and one from before the place left"


NOTHING = "refused: nothing here is vouched for by that witness, exit code 7"
UNSEEN = "not detected; the answer names the size and the instant of the older one"
TOLD = {
    Fate.LEFT: "TAMPERED, entry 0",
    Fate.MOVED: "TAMPERED, no entry",
    Fate.FORGED: NOTHING,
    Fate.REMOVED: NOTHING,
    Fate.OLDER: UNSEEN,
}


class Bundle(StrEnum):
    """Where a bundle is tampered with."""

    LINES = "entries of the bundle changed on its way, well-formed or not"
    TEXT = "a contract text in the bundle changed on its way"
    FITTED = "entries, proofs and checkpoint made to fit each other, without a key"
    OWN_KEY = "written from a log made anew with a key of their own"
    OLD = "written from an older copy of the log"
    SIGNED = "written from a log rewritten and signed with the true key"


@dataclass(frozen=True, kw_only=True)
class ExpectedOfBundle:
    """One row for bundles of a whole log, as in `Expected`."""

    way: Bundle
    kinds: tuple[Kind, ...]
    nothing: Said
    older: Said
    newer: Said
    fingerprint: Said


OF_BUNDLES = (
    # "it hashes each line's bytes, refuses a line that is not canonical, exits 0/7 and names the first bad entry"
    ExpectedOfBundle(way=Bundle.LINES, kinds=(*ENTRIES, Kind.TRUNCATE), **_always(Said.EXACT)),
    ExpectedOfBundle(way=Bundle.TEXT, kinds=(Kind.EDIT, Kind.UNICODE), **_always(Said.BESIDE)),
    ExpectedOfBundle(way=Bundle.FITTED, kinds=(*ENTRIES, Kind.TRUNCATE), **_always(Said.BESIDE)),
    # What agrees with itself is known by what was kept, as of the log
    ExpectedOfBundle(
        way=Bundle.OWN_KEY,
        kinds=(*ENTRIES, Kind.TRUNCATE, Kind.RESIGN),
        nothing=Said.FINE,
        older=Said.BESIDE,
        newer=Said.BESIDE,
        fingerprint=Said.FIRST,
    ),
    ExpectedOfBundle(
        way=Bundle.OLD,
        kinds=COPIES,
        nothing=Said.FINE,
        older=Said.FINE,
        newer=Said.REFUSED,
        fingerprint=Said.FINE,
    ),
    ExpectedOfBundle(
        way=Bundle.SIGNED,
        kinds=ENTRIES,
        nothing=Said.FINE,
        older=Said.FINE,
        newer=Said.BESIDE,
        fingerprint=Said.FINE,
    ),
)


def rows_for(kind: Kind, adversary: Adversary) -> list[Expected]:
    """The rows that speak of this kind under this adversary, in order."""
    return [row for row in TABLE if row.adversary is adversary and kind in row.kinds]


HOLDERS = {
    A: "Who can write to the database, and nothing else",
    B: "Who can write to the whole state folder but has no key, or restores an older copy of it",
    C: "Who holds the signing key",
}
HEAD = (
    "| what they do | kinds | nothing kept | kept: a checkpoint from before | kept: one from after "
    "| kept: the fingerprint | our next command |\n"
    "|---|---|---|---|---|---|---|"
)


WITNESS_HEAD = """\
## (c) where a witness cosigned, and you name it with `--witness`

| the cosigned checkpoint that covers the place is | answer |
|---|---|"""


BUNDLE_HEAD = """\
## Bundles

| what they do | kinds | nothing kept | kept: a checkpoint from before | kept: one from after | kept: the fingerprint |
|---|---|---|---|---|---|"""


def _named(kinds: tuple[Kind, ...]) -> str:
    every = kinds[: len(ENTRIES)] == ENTRIES
    return ", ".join(["the nine", *kinds[len(ENTRIES) :]] if every else kinds)


def rendered() -> str:
    """The table in Markdown, a section for each adversary."""
    parts = []
    for adversary, rows in groupby(TABLE, key=lambda row: row.adversary):
        lines = [
            f"| {row.way} | {_named(row.kinds)} | {row.nothing} | {row.older} | {row.newer} | {row.fingerprint} "
            f"| {row.following or '–'} |"
            for row in rows
        ]
        parts.append(f"## ({adversary}) {HOLDERS[adversary]}\n\n{HEAD}\n" + "\n".join(lines) + "\n")
    lines = [f"| {fate} | {said} |" for fate, said in TOLD.items()]
    parts.append(f"{WITNESS_HEAD}\n" + "\n".join(lines) + "\n")
    lines = [
        f"| {row.way} | {_named(row.kinds)} | {row.nothing} | {row.older} | {row.newer} | {row.fingerprint} |"
        for row in OF_BUNDLES
    ]
    return "\n".join([*parts, f"{BUNDLE_HEAD}\n" + "\n".join(lines) + "\n"])
