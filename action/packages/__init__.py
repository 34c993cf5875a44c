"""Third-party packages: which ones a run needs, installing them, and importing them while buildx runs."""
