"""The inputs of the actions: read, checked and typed."""
