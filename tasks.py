"""The tasks of `invoke`: composed in provisioner.cli.collection."""

from provisioner.cli.collection import namespace

__all__ = ["namespace"]
