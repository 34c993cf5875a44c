"""Random builds and bakes on a real engine, each digest compared with what the other end has: `make soak`."""
