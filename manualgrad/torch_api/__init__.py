"""torch's functions by hand: torch's signatures over the Functions, for by_hand to call.

Each returns NotImplemented for a call that is not for a Function, which torch's own then answers: one that writes to `out`, or
whose arguments are of another kind than it knows. What is wrong with a call torch's own says, too.
"""
