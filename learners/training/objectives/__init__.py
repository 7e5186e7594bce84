"""What runs minimise: one file a method."""
