"""The executor: one sealed ansible-runner call per batch. The only home of `ansible_runner`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.errors import ExecutionError, MissingTool, UsageError
from provisioner.execution import translate
from provisioner.execution.containment import contained, is_privileged, kill, prove_dead
from provisioner.execution.content import copy_content
from provisioner.execution.ports import Order, RunResult, RunStatus
from provisioner.execution.texts import clean
from provisioner.execution.workspace import (
    Limits,
    Workspace,
    connection_variables,
    render_config,
    render_inventory,
)
from provisioner.model.redaction import secrets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ansible_runner import Runner

    from provisioner.model.event import Event

KEPT_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "TERM", "TZ", "USER")
"""What a run inherits of the caller's environment; no ANSIBLE_* variable of the caller reaches it."""

CALLBACK_ENVIRONMENT = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_STDOUT_CALLBACK",
    "AWX_ISOLATED_DATA_DIR",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
)
"""What the runner's own callback needs to leave its events."""

SPOKEN = ("verbose", "warning", "error", "playbook_on_no_hosts_matched")
"""Records without a machine: in one of them Ansible says why it could not run a playbook."""

STATUS: Mapping[str, RunStatus] = {
    "successful": RunStatus.FINISHED,
    "failed": RunStatus.FINISHED,
    "canceled": RunStatus.CANCELLED,
    "timeout": RunStatus.TIMED_OUT,
}


def refuse_weak_environment(environ: Mapping[str, str]) -> None:
    """Raise UsageError when the environment asks to skip host key checks: a changed key would be accepted."""
    off = {"false", "no", "0", "off", "f", "n"}
    weak = [
        name
        for name, value in environ.items()
        if ("HOST_KEY_CHECKING" in name and value.strip().lower() in off)
        or (name.startswith("ANSIBLE_SSH_") and name.endswith("ARGS") and "stricthostkeychecking" in value.lower())
        or ("HOST_KEY_AUTO_ADD" in name and value.strip().lower() not in off)
    ]
    if weak:
        names = ", ".join(sorted(weak))
        raise UsageError(f"the environment weakens host key checking: {names}", hint=f"unset {names}")


@dataclass
class _Watch:
    """What a run's callbacks share: the first exception, whether it was asked to stop, what the last record said."""

    order: Order
    on_event: Callable[[Event], None]
    secrets: tuple[str, ...]
    error: BaseException | None = None
    stopped: bool = False
    stats: Mapping[str, object] = field(default_factory=dict)
    last_words: str = ""

    def handle(self, record: Mapping[str, object]) -> bool:
        # ansible-runner swallows an OSError raised here and reports success: keep everything, stop, raise it later.
        try:
            if record.get("event") == "playbook_on_stats":
                self.stats = record
            elif record.get("event") in SPOKEN:
                self.hear(clean(record.get("stdout") or "", self.secrets))
            if (event := translate.translate(record, self.secrets)) is not None:
                self.on_event(event)
        except BaseException as error:
            self.error = self.error or error
            self.stopped = True
        return True

    def hear(self, words: str) -> None:
        """Keep what Ansible said last; once that is an error, the lines after it only tell where."""
        if words and not self.last_words.startswith("[ERROR]"):
            self.last_words = words

    def should_stop(self) -> bool:
        return self.stopped

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Turn Ctrl-C, a closed terminal and a polite kill into a stop of the run."""

        def stop(_number: int, _frame: object) -> None:
            self.stopped = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(frozen=True, kw_only=True)
class AnsibleExecutor:
    """Runs playbooks of the checkout `root`, each in a fresh folder under `runs`, never two under one id.

    `identity` is the SSH key used for a client (None: the technician's own keys), `known_hosts` the client's file of
    machine keys, `authorities` its CA bundle for WinRM.
    """

    root: Path
    runs: Path
    known_hosts: Path
    identity: Path | None = None
    authorities: Path | None = None
    limits: Limits = field(default_factory=Limits)

    def run(self, order: Order, on_event: Callable[[Event], None]) -> RunResult:
        """Run one step on its batch, as `execution.ports.Executor` says."""
        refuse_weak_environment(os.environ)
        workspace = Workspace(self.runs / order.intervention)
        try:
            workspace.seal()
            playbook = copy_content(self.root, order.content, workspace.project)
            runner, watch = self._prepare(order, workspace, playbook, on_event)
        except OSError as error:
            workspace.remove()
            raise ExecutionError(f"the run could not be prepared: {error}", hint="free some space") from error
        except ExecutionError:
            workspace.remove()
            raise
        try:
            return self._run(order, runner, watch)
        finally:
            # The runner may have given up with its child alive. What is not proven dead keeps its folder and its lock.
            kill(workspace.alive)
            prove_dead(workspace.alive, patience=10)
            workspace.remove()

    def _run(self, order: Order, runner: Runner, watch: _Watch) -> RunResult:
        with watch.signals():
            status, _code = runner.run()
        if watch.error is not None:
            raise watch.error
        found = translate.tallies(watch.stats)
        broken = STATUS.get(status) is None or (STATUS[status] is RunStatus.FINISHED and not found)
        return RunResult(
            status=RunStatus.BROKEN if broken else STATUS[status],
            check="--check" in runner.config.command,
            tallies=found,
            checks=translate.checks(watch.stats, order.step, watch.secrets),
            packages=translate.packages(watch.stats, order.step),
            levels=translate.levels(watch.stats, order.step, watch.secrets),
            backups=translate.backups(watch.stats, order.step, watch.secrets),
            proofs=translate.proofs(watch.stats, order.step, watch.secrets),
            message=watch.last_words if broken else "",
        )

    def _prepare(
        self, order: Order, workspace: Workspace, playbook: Path, on_event: Callable[[Event], None]
    ) -> tuple[Runner, _Watch]:
        from ansible_runner.interface import init_runner

        secrets = tuple(secret for asset in order.assets for secret in secrets_of(asset))
        watch = _Watch(order=order, on_event=on_event, secrets=secrets)
        connections = {
            asset.name: connection_variables(asset, identity=self.identity, authorities=self.authorities)
            for asset in order.assets
        }
        workspace.inventory.write_text(render_inventory(order, connections), encoding="utf-8")
        workspace.secrets.write_text(json.dumps(secrets), encoding="utf-8")
        workspace.config.write_text(render_config(workspace, self.known_hosts, self.limits), encoding="utf-8")
        runner = init_runner(
            private_data_dir=str(workspace.root),
            ident=order.intervention,
            playbook=str(playbook),
            inventory=str(workspace.inventory),
            cmdline="--check" if order.check else None,
            event_handler=watch.handle,
            cancel_callback=watch.should_stop,
            quiet=True,
            suppress_env_files=True,
        )
        # The runner drops the settings it is given when there is no file of them: they are set where it looks.
        runner.config.pexpect_timeout = 0.2
        runner.config.job_timeout, runner.config.idle_timeout = self.limits.run, self.limits.silence
        runner.config.env = _environment(runner.config.env, workspace)
        command = [_program("ansible-playbook"), *runner.config.command[1:]]
        runner.config.command = contained(command, alive=workspace.alive, privileged=is_privileged())
        return runner, watch

    def left(self) -> tuple[str, ...]:
        """Return the interventions that have a folder here."""
        return tuple(sorted(path.name for path in self.runs.iterdir())) if self.runs.exists() else ()

    def salvage(self, intervention: str) -> tuple[Event, ...]:
        """Return the events that the run of a dead controller left; raises StillRunning while a process of it lives.

        None of them where the list of its secrets cannot be read: what they say could not be told from a secret.
        """
        workspace = Workspace(self.runs / intervention)
        prove_dead(workspace.alive, patience=5)
        try:
            secrets = tuple(json.loads(workspace.secrets.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return ()
        events = (translate.translate(record, secrets) for record in workspace.raw_events())
        return tuple(event for event in events if event is not None)

    def discard(self, intervention: str) -> None:
        """Remove the folder of a run that is proven dead."""
        workspace = Workspace(self.runs / intervention)
        prove_dead(workspace.alive, patience=5)
        workspace.remove()


def _program(name: str) -> str:
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise MissingTool(f"{name} is not installed", hint="`make demo` or `pip install provisioner` installs it")
    return found


def _environment(prepared: Mapping[str, str], workspace: Workspace) -> dict[str, str]:
    """Given the runner's environment, keep what its callback needs and a short list of the caller's; name our config.

    The runner itself asks for ANSIBLE_HOST_KEY_CHECKING=False and a fact cache on disk: neither is kept.
    """
    callback = {name: prepared[name] for name in CALLBACK_ENVIRONMENT if name in prepared}
    kept = {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ}
    return {**callback, **kept, "ANSIBLE_CONFIG": str(workspace.config), "LC_ALL": "C.UTF-8"}
