"""The schema of the database, one revision a file. `database` runs them in its own transaction, without an env.py."""
