"""What a build left behind: the metadata file, the build record, the status log and the artifacts."""
