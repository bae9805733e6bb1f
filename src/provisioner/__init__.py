"""Contract-bound work on machines, with evidence that verifies offline."""

__version__ = "0.1.0"
