"""Campaigns work at the same desks, and in the same parks, as the acceptance tests."""

from tests.acceptance.conftest import debian_park, new_desk, park

__all__ = ["debian_park", "new_desk", "park"]
