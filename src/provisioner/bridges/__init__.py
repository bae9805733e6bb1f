"""One file per outside system: a request goes out, an answer comes back within a deadline."""
