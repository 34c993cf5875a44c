"""JSON documents: strict parsing within bounds, JSON pointers to faults, and validation against the JSON Schemas."""
