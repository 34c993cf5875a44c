"""Which jobs' images make up which joined image, and whether a registry serves just that: pure rules."""
