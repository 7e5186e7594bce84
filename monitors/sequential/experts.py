"""How many experts bet on an aspect, and on what. It loads nothing, so that a stored state is read without numpy."""

#: Maximum number of fresh conversations that an expert learns from. A short horizon sees a sudden change sooner, a long
#: one sees a smaller change. At most half the users of the reference: experts would else learn its sampling error.
HORIZONS = (25, 100, 400)
#: Trust of each expert in its scores. Words are dependent, so the sum of their log-odds overstates the evidence.
SLOPES = (0.1, 0.3, 1.0)
VIEWS = 2 * len(HORIZONS)  # of a conversation: the log-odds and the witness function of each horizon
EXPERTS = VIEWS * len(SLOPES) + 1  # one of them never bets
