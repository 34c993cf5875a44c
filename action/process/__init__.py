"""Programs that this package starts: output, signals, and the watchdog that stops them with their step."""
