"""The sequential detector: bets on each conversation, and the evidence that they give."""
