"""Training: decides whether to train, puts the training set together and follows the run."""
