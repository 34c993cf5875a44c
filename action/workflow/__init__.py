"""GitHub Actions: workflow commands, step outputs, and the steps that the action.yml files call."""
