"""Ports for what a test starts a moment later: outside the range from which the kernel gives them to whoever asks."""

from __future__ import annotations

import os
import random
import socket

FIRST, LAST = 12000, 29999  # Linux gives 32768 to 60999 unless told otherwise (net.ipv4.ip_local_port_range)
_chosen = random.Random(os.getpid())
_given: set[int] = set()


def free_port() -> int:
    """Return a loopback port that nothing listens on and that no connection of another process can be given meanwhile.

    Two processes of tests draw from different seeds, and none gives a port twice.
    """
    while True:
        port = _chosen.randint(FIRST, LAST)
        if port in _given:
            continue
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
