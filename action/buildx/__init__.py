"""`docker buildx`: its command line, the running of it, and what its failures mean."""
