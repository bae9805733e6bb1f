"""The SSH probe, and the only home of paramiko: host key first, then login, then one command.

paramiko waits without limit in several places (a banner byte by byte, the answer to `exec`), so every step runs under
a deadline that closes the connection.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko

from provisioner.execution import known_hosts, readiness
from provisioner.execution.first_contact import BadNews, Deadlines, connect, deadline, printable, where
from provisioner.execution.known_hosts import HostKey, Known, Standing
from provisioner.execution.ports import Contact, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator

    from provisioner.model.asset import Asset

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False  # what matters of its log is in our sentences

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One command to run, what it gets on standard input, the text that ends its answer, the most bytes of that."""

    command: str
    given: str
    until: str
    most: int = 256 * 1024


class SshProbe:
    """Reaches machines over SSH; `known_hosts` is the folder that holds one file a client, `identity` a private key.

    Without `identity` the technician's ssh-agent and default keys are tried, as ssh does.
    """

    def __init__(self, known_hosts: Path, *, identity: Path | None = None, deadlines: Deadlines | None = None) -> None:
        self._folder = known_hosts
        self._identity = identity
        self._deadlines = deadlines or Deadlines()

    def reach(self, asset: Asset, *, accept: Callable[[str], bool]) -> Contact:
        """Check the machine's key, log in, become root, look for Python: see `provisioner.execution.ports.Probe`.

        Raises ExecutionError only when the known hosts cannot be read or written.
        """
        met = Contact()
        try:
            session, trust = self._meet(asset, accept)
            met = Contact(trust=trust, fingerprint=session.key.fingerprint)
            with closing(session):
                session.log_in(self._identity)
                marker = f"provisioner-{secrets.token_hex(8)}"
                password = asset.secrets.get("become_password", "")
                command = readiness.command(marker, password=bool(password))
                given = f"{password}\n" if password else ""
                output = session.run(Question(command=command, given=given, until=f"\n{marker} end"))
                readiness.check(output, marker, asset=asset)
        except BadNews as news:
            return replace(met, reason=news.reason, text=news.text, fingerprint=news.fingerprint or met.fingerprint)
        return met

    def ask(self, asset: Asset, question: Question, *, accept: Callable[[str], bool]) -> str:
        """Check the machine's key, log in, run the command as the login user; return what it printed.

        Raises BadNews with a reason of Contact that says unreachable.
        """
        session, _trust = self._meet(asset, accept)
        with closing(session):
            session.log_in(self._identity)
            return session.run(question)

    def _meet(self, asset: Asset, accept: Callable[[str], bool]) -> tuple[_Session, Trust]:
        """Return a session with a machine whose key we trust, nothing said to it yet, and what the trust rests on."""
        path = self._folder / asset.client
        name = known_hosts.name_of(asset.address.host, asset.address.port)
        expected = known_hosts.known(known_hosts.read(path), name)
        session = self._greet(asset, expected)
        try:
            trust = _rule(session.key, expected, asset=asset, path=path)
            if trust is Trust.PINNED:
                known_hosts.remember(path, name, session.key)
            if trust is not Trust.FIRST_USE:
                return session, trust
        except BaseException:
            session.close()
            raise
        session.close()  # no connection waits while somebody compares fingerprints
        if not accept(session.key.fingerprint):
            raise _unknown(session.key, asset)
        known_hosts.remember(path, name, session.key)
        return self._meet_again(asset, session.key, path=path), trust

    def _meet_again(self, asset: Asset, key: HostKey, *, path: Path) -> _Session:
        session = self._greet(asset, Known(keys=(key,)))
        if session.key != key:
            session.close()
            raise _changed(session.key, asset, expected=key.fingerprint, path=path)
        return session

    def _greet(self, asset: Asset, expected: Known) -> _Session:
        """Open a session, asking for a type of key that we know first.

        A pin does not tell its type: while another key is presented, ask for the machine's other types.
        """
        pin = asset.address.host_key
        wanted = {name for key in expected.keys for name in _algorithms(key)}
        others: list[HostKey] = []
        while True:
            unwanted = {name for key in others for name in _algorithms(key)}
            try:
                session = _Session(asset, self._deadlines, wanted=wanted, unwanted=unwanted)
            except BadNews:
                if others:
                    raise _changed(others[0], asset, expected=pin, path=None) from None
                raise
            if not pin or session.key.fingerprint == pin:
                return session
            session.close()
            if session.key.kind in {key.kind for key in others}:  # it does not keep to the types asked for
                raise _changed(others[0], asset, expected=pin, path=None)
            others.append(session.key)


class _Session:
    """An SSH connection whose key exchange is done: `key` is the machine's, and it knows nothing of us yet."""

    def __init__(
        self, asset: Asset, deadlines: Deadlines, *, wanted: Collection[str], unwanted: Collection[str]
    ) -> None:
        self._asset = asset
        self._deadlines = deadlines
        self._socket = connect(asset, seconds=deadlines.connect)
        self._transport = paramiko.Transport(self._socket)
        try:
            self.key = self._exchange_keys(wanted, unwanted)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection and see its thread end."""
        self._transport.close()
        self._transport.packetizer.complete_handshake()  # cancels a timer that would hold up the end of the process
        if self._transport.is_alive():
            self._transport.join(timeout=5)
        self._socket.close()

    def _exchange_keys(self, wanted: Collection[str], unwanted: Collection[str]) -> HostKey:
        transport, seconds = self._transport, self._deadlines.handshake
        options = transport.get_security_options()
        types = [name for name in options.key_types if name not in unwanted]
        options.key_types = tuple(sorted(types, key=lambda name: name not in wanted))
        transport.banner_timeout = transport.handshake_timeout = 2 * seconds  # ours, over the whole, comes first
        done = threading.Event()
        transport.start_client(event=done)
        if not done.wait(seconds):
            text = f"{where(self._asset)} accepts connections but did not finish the SSH handshake in {seconds:g} s; "
            raise BadNews("timeout", text + "is it overloaded, or is another service on this port?")
        try:
            key = transport.get_remote_server_key()
        except paramiko.SSHException:
            said = self._words(transport.get_exception())
            text = f"{where(self._asset)} does not speak SSH as expected ({said}); is the port right in hosts.yml?"
            raise BadNews("protocol_error", text) from None
        return HostKey(key.get_name(), key.asbytes())

    def log_in(self, identity: Path | None) -> None:
        """Log in by key, else by the asset's password (tried once), or raise BadNews: `login_refused`, `timeout`."""
        tried: list[str] = []
        broken = ""
        self._transport.auth_timeout = self._deadlines.login
        with deadline(self._deadlines.login, self._transport.close) as expired:
            try:
                self._authenticate(identity, tried)
            except (paramiko.SSHException, OSError, EOFError) as error:
                broken = self._words(error)
        if expired.is_set():
            text = f"{where(self._asset)} did not answer a login within {self._deadlines.login:g} s; see its auth log"
            raise BadNews("timeout", text)
        if not self._transport.is_authenticated():
            attempts = "; ".join(filter(None, (", ".join(tried) or "no key, no password", broken)))
            text = f"{where(self._asset)} refused the login of {self._asset.address.user} ({attempts}); "
            hint = "put the technician's public key into its authorized_keys, or ansible_password into the vault file"
            raise BadNews("login_refused", text + hint)

    def run(self, question: Question) -> str:
        """Run a command; return its output and errors, mixed, or raise BadNews."""
        output = broken = ""
        with deadline(self._deadlines.command, self._transport.close) as expired:
            try:
                output = self._converse(question)
            except (paramiko.SSHException, OSError, EOFError) as error:
                broken = self._words(error)
        if expired.is_set():
            text = f"{where(self._asset)} let us in but a first command did not end in {self._deadlines.command:g} s; "
            raise BadNews("timeout", text + f"try `sudo -v` and `{readiness.PYTHON} -V` on it")
        if broken:
            raise BadNews(
                "protocol_error", f"{where(self._asset)} let us in but ran no command ({broken}); see its log"
            )
        return output

    def _authenticate(self, identity: Path | None, tried: list[str]) -> None:
        """Try what the machine accepts, in order, until it lets us in; `tried` collects what, for the sentence."""
        transport, user = self._transport, self._asset.address.user
        accepted = _attempt(lambda: transport.auth_none(user), otherwise=[])
        with closing(_keys(identity)) as keys:
            for name, key in keys:
                if transport.is_authenticated() or "publickey" not in accepted:
                    break
                tried.append(name)
                if key is not None:
                    accepted = _attempt(partial(transport.auth_publickey, user, key), otherwise=accepted)
        password = self._asset.secrets.get("password", "")
        if transport.is_authenticated() or not password:
            return
        if "password" in accepted:
            tried.append("password")
            _attempt(lambda: transport.auth_password(user, password, fallback=False), otherwise=[])
        elif "keyboard-interactive" in accepted:
            tried.append("password")
            _attempt(lambda: transport.auth_interactive(user, _answer_once(password)), otherwise=[])

    def _converse(self, question: Question) -> str:
        channel = self._transport.open_session()
        channel.set_combine_stderr(True)
        channel.exec_command(question.command)
        with suppress(OSError):  # a command that ends without reading its input is no failure of ours
            channel.sendall(question.given.encode())
            channel.shutdown_write()
        output, until, looked = bytearray(), question.until.encode(), 0
        while output.find(until, looked) < 0 and len(output) < question.most:
            looked = max(0, len(output) - len(until))
            if not (chunk := channel.recv(4096)):
                break
            output += chunk
        return output.decode(errors="replace")

    def _words(self, error: Exception | None) -> str:
        closed = error is None or isinstance(error, EOFError)
        return "it closed the connection" if closed else printable(str(error), self._asset)


def _rule(presented: HostKey, expected: Known, *, asset: Asset, path: Path) -> Trust:
    """Return what the trust in a key rests on (FIRST_USE: nothing yet), or raise BadNews `host_key_changed`."""
    standing = known_hosts.judge(presented, expected)
    if standing is Standing.REVOKED:
        text = (
            f"{where(asset)} presents {presented.fingerprint}, which {path} marks as @revoked; give it a new host key"
        )
        raise BadNews("host_key_changed", text, fingerprint=presented.fingerprint)
    if asset.address.host_key:
        return Trust.PINNED
    if standing is Standing.CHANGED:
        were = ", ".join(key.fingerprint for key in expected.keys)
        raise _changed(presented, asset, expected=were, path=path)
    return Trust.KNOWN if standing is Standing.MATCHES else Trust.FIRST_USE


def _changed(presented: HostKey, asset: Asset, *, expected: str, path: Path | None) -> BadNews:
    name = known_hosts.name_of(asset.address.host, asset.address.port)
    remedy = f"run `ssh-keygen -f {path} -R '{name}'`" if path else "correct host_key in hosts.yml"
    text = (
        f"{where(asset)} presents the host key {presented.fingerprint} instead of {expected}: another machine, or an "
        f"attack; no login was tried. If it was reinstalled, compare the new key on its console, then {remedy}"
    )
    return BadNews("host_key_changed", text, fingerprint=presented.fingerprint)


def _unknown(presented: HostKey, asset: Asset) -> BadNews:
    text = (
        f"{where(asset)} presents the host key {presented.fingerprint}, which nobody has accepted; compare it with "
        "`ssh-keygen -lf` of /etc/ssh/ssh_host_*_key.pub on its console, then type the command again with "
        "--accept-new-key, or pin it as host_key in hosts.yml"
    )
    return BadNews("host_key_unknown", text, fingerprint=presented.fingerprint)


def _algorithms(key: HostKey) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key.kind == "ssh-rsa" else (key.kind,)


def _attempt(method: Callable[[], list[str]], *, otherwise: list[str]) -> list[str]:
    """Try one way in; return the ways that the machine accepts next, `otherwise` when it does not say."""
    try:
        return method()
    except paramiko.BadAuthenticationType as refusal:
        return refusal.allowed_types
    except paramiko.AuthenticationException:
        return otherwise


def _keys(identity: Path | None) -> Generator[tuple[str, paramiko.PKey | None], None, None]:
    """Yield the keys to try with their names; None for an `identity` that cannot be used, its name then says why."""
    if identity is not None:
        key = _load(identity)
        trouble = "" if key else " (missing, unreadable or protected by a passphrase: ssh-agent can hold it)"
        yield f"key {identity}{trouble}", key
        return
    if Path(os.environ.get("SSH_AUTH_SOCK", "")).is_socket():  # paramiko leaves a socket open when nobody is there
        with suppress(paramiko.SSHException, OSError), closing(paramiko.Agent()) as agent:
            yield from ((f"ssh-agent's {key.comment}", key) for key in agent.get_keys())
    for path in (Path.home() / ".ssh" / name for name in _DEFAULT_KEYS):
        if key := _load(path):
            yield f"key {path}", key


def _load(path: Path) -> paramiko.PKey | None:
    try:
        return paramiko.PKey.from_path(path)
    except Exception:  # paramiko and what it reads keys with raise many kinds; each means that this key is of no use
        return None


def _answer_once(password: str) -> Callable[[str, str, list[tuple[str, bool]]], list[str]]:
    """Return a handler that gives the password to the first question that hides its answer, and to no other."""
    left = [password]

    def answer(title: str, instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        if not prompts:
            return []
        if len(prompts) > 1 or prompts[0][1] or not left:
            raise paramiko.SSHException("it asks for more than a password")
        return [left.pop()]

    return answer
