"""What operators type, one file a group of commands. Whatever is slow to import is imported inside a command."""
