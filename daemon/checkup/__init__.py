"""What ``retuned doctor`` looks at. Each file examines one thing, changes nothing, and says how to mend it."""
