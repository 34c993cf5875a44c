"""Which digest belongs to which exporter: pure rules, from what was asked for and what was observed."""
