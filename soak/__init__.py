"""Random builds and bakes on a real engine; each digest is compared with its registry, file or engine: `make soak`."""
