"""The practice machines: Debian in systemd containers, reached over SSH like any workstation."""
