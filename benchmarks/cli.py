"""`invoke --list` of this project beside `invoke --list` of an empty tasks.py: what our tasks cost before any runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

from _bench import BIN, Contender, arguments, interleaved, report


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tasks.py").write_text("from invoke import task\n\n\n@task\ndef nothing(c):\n    pass\n")
        invoke = str(BIN / "invoke")
        ours = Contender("invoke --list", [invoke, "--list"], {})
        bare = Contender("bare invoke --list", [invoke, "--search-root", folder, "--list"], {})
        again = Contender("bare invoke --list, again", bare.command, {})
        runs = interleaved([ours, bare, again], rounds=max(arguments().rounds, 9))
        report(runs, ours=ours.name, peer=bare.name, control=again.name, facts={})


if __name__ == "__main__":
    main()
