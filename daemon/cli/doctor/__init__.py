"""What ``retuned doctor`` examines. Each file examines one thing and changes nothing."""
