"""Child processes and the calls to them."""
