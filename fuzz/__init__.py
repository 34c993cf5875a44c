"""Fuzzing: one module for each reader, with a function that takes bytes and raises only where a promise is broken."""
