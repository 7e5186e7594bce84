"""What each producer of logs puts around a conversation."""
