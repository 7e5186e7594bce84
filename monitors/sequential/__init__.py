"""The sequential detector: bets on each conversation, and what comes of them."""
