"""GitHub: workflow commands and step outputs, the context of a workflow run, and the API."""
