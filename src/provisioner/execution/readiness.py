"""Whether a machine that let us in can be worked on: one remote command tests privilege escalation and Python.

Its own lines carry a marker made for the occasion, so a login script that prints, or sudo's lecture, cannot be taken
for an answer. The password goes in over standard input, never into the command.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from provisioner.execution.first_contact import BadNews, printable, where

if TYPE_CHECKING:
    from provisioner.model.asset import Asset

PYTHON = "/usr/bin/python3"
"""The interpreter on a machine reached over SSH: the system's own, which has python3-apt; not what a PATH finds."""

OLDEST_PYTHON = (3, 8)  # what ansible-core 2.19 needs on a managed machine

# Both scripts: $1 is the marker. One line, no single quote, no exclamation mark: csh and fish pass them on.
_AS_ROOT = (
    'exec </dev/null; printf "\\n%s uid %s\\n" "$1" "$(id -u)"; '
    f'found=$({PYTHON} -c "import sys, base64, json, zipfile; print(sys.version_info[0], sys.version_info[1])" 2>&1) '
    '&& printf "\\n%s python %s\\n" "$1" "$found"'
)
_AS_USER = (
    'printf "\\n%s begin\\n" "$1"; '
    'if [ "$(id -u)" = 0 ]; then sh -c "$2" sh "$1"; '
    'elif command -v sudo >/dev/null 2>&1; then LC_ALL=C sudo {how} -k -- sh -c "$2" sh "$1" 2>&1; '
    'else printf "\\n%s no_sudo -\\n" "$1"; fi; '
    'printf "\\n%s end -\\n" "$1"'
)

# What sudo says (in C, so in English), and what it means. The first that fits decides.
_REFUSALS = (
    (r"incorrect password|sorry, try again|authentication failed", "sudo refuses the password",
     "correct ansible_become_password in the client's vault file"),
    (r"not in the sudoers file|not allowed to (run|execute)|may not run sudo", "sudo does not let {user} become root",
     "add {user} to the sudo group"),
    (r"must have a tty|terminal is required", "sudo wants a terminal", "remove requiretty from its sudoers"),
    (r"account validation failure|account or password is expired|password has expired|account is locked",
     "sudo says that the account of {user} is locked or its password expired", "unlock it on the machine"),
    (r"a password is required|no password was provided", "sudo wants a password and none is given",
     "put ansible_become_password into the client's vault file"),
)  # fmt: skip


def command(marker: str, *, password: bool) -> str:
    """Return the shell command to run as the login user; with `password`, sudo reads one line from standard input.

    `-k` makes sudo forget nothing and trust nothing: what an earlier session left in its cache does not count.
    """
    how = '-S -p ""' if password else "-n"
    return f"exec sh -c {shlex.quote(_AS_USER.format(how=how))} sh {marker} {shlex.quote(_AS_ROOT)}"


def check(output: str, marker: str, *, asset: Asset) -> None:
    """Given what the command printed, return if the machine is ready; else raise BadNews.

    `login_refused`: the shell ran nothing; `protocol_error`: cut short; `privilege_refused`; `no_python`.
    """
    said = dict(re.findall(rf"^{marker} (\w+) ?(.*?)\r?$", output, re.MULTILINE))
    here = where(asset)
    if "begin" not in said:
        text = f"{here} let {asset.address.user} in but its shell runs no commands; give the account a usual shell"
        raise BadNews("login_refused", text)
    if "end" not in said:
        raise BadNews("protocol_error", f"{here} broke off in the middle of a command; look at its log, then try again")
    if said.get("uid") != "0":
        raise BadNews("privilege_refused", _refusal(output, marker, asset=asset, no_sudo="no_sudo" in said))
    version = re.search(r"(\d+) (\d+)$", said.get("python", ""))
    if version is None:
        raise BadNews("no_python", f"{here} has no working {PYTHON} for root; install it: apt install python3")
    if (int(version[1]), int(version[2])) < OLDEST_PYTHON:
        text = f"{here} has Python {version[1]}.{version[2]}, Ansible needs 3.8 or newer; install a newer python3"
        raise BadNews("no_python", text)


def _refusal(output: str, marker: str, *, asset: Asset, no_sudo: bool) -> str:
    user = asset.address.user
    if no_sudo:
        return f"{where(asset)}: sudo is not installed and {user} is not root; install sudo, or log in as root"
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(marker)]
    for pattern, meaning, remedy in _REFUSALS:
        if re.search(pattern, "\n".join(lines), re.IGNORECASE):
            return f"{where(asset)}: {meaning.format(user=user)}; {remedy.format(user=user)}"
    last = printable(lines[-1], asset) if lines else "it said nothing"
    return f"{where(asset)}: sudo did not make {user} root ({last}); try `sudo -v` on the machine"
