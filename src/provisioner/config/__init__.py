"""Text to model: strict YAML with positions, contracts, inventories, settings and the JSON Schema of the two files."""
