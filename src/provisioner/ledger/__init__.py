"""The ledger: what was done, kept so that a later change to it shows.

`book` writes and stores; `verify` re-derives everything from bytes. They are strangers that share only the format:
docs/reference/ledger_format.md.
"""
