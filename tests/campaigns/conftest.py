"""Campaigns work at the same desks as the acceptance tests."""

from tests.acceptance.conftest import new_desk

__all__ = ["new_desk"]
