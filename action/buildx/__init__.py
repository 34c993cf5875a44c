"""docker buildx: its arguments, bake definitions, local state, records, registries, and its failures."""
