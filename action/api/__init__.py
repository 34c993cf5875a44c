"""The Python API. `action` lists its names."""
