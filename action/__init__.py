"""One digest per exporter of a `docker buildx` build: the GitHub Action and the toolkit under it."""

__version__ = "0.1.0"
