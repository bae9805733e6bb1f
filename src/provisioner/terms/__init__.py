"""PURE: what the contract says. Values and instants in, verdicts out; no I/O and no clock."""
