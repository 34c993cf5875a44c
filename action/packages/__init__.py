"""Third-party packages: the sets that a run needs, installing them, and importing them while buildx runs."""
