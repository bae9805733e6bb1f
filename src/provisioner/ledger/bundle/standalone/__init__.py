"""What a bundle carries so that nobody needs us: `verify.py`, which imports nothing of ours, and its recipe."""
