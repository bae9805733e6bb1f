"""The schema of the database, one revision a file. `store` runs them in its own transaction, without an env.py."""
