"""The lesson: what a single example wants, the chain rule, sensitivity and descent, as numbers and as pictures."""
