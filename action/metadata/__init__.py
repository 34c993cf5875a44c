"""The metadata file: strict reading, its JSON Schemas, and the responses in it."""
