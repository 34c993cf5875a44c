"""Reading of what a build leaves behind: metadata file, build record, status log and artifacts."""
