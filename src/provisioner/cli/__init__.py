"""What people type: parse, call one mission, print, exit code. `wiring` is the composition root."""
