"""The steps of the actions: inputs in, step outputs out."""
