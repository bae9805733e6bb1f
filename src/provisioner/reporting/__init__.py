"""From the model to documents: what a task prints with `--json`, and what a person reads."""
