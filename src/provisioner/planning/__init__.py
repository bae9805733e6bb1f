"""PURE: what to do. Values and instants in, plans out; no I/O, no clock, no randomness."""
