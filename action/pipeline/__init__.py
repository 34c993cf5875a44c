"""The way from a request to the results of a build or a bake."""
