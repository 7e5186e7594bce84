"""Training runs: the loop, its checkpoints and the child that runs it."""
