"""What a client does with a request for approval: make a key once, sign the file."""

from __future__ import annotations

import subprocess
from pathlib import Path


def key(folder: Path, name: str) -> Path:
    path = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path


def sign(words: str, *, private: Path, file: str) -> None:
    """Type the line that the refusal printed, with the key and the file in their places."""
    name = Path(file).name
    line = next(line for line in words.splitlines() if "ssh-keygen -Y sign" in line).split()
    typed = [{"KEY": str(private), name: file}.get(word, word) for word in line]
    subprocess.run(typed, check=True, capture_output=True)
