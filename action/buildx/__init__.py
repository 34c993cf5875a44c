"""Run docker buildx: its command lines, bake definitions, build records, registries, failures and retries."""
