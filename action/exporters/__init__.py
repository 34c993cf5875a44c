"""The user's outputs, the exporters of a build, and the attribution of a digest to each of them."""
