"""Whether what a build says it made is there: asked of the registries, and of the tars' own bytes."""
