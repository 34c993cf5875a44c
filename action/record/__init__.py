"""The build record: what BuildKit itself kept of a build."""
