"""What the action adds to a bare build, measured."""
