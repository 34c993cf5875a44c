"""GitHub: workflow commands and files, the context of a workflow run, and the API."""
