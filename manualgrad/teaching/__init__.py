"""The lesson: one example's wishes, the chain rule, sensitivity and gradient descent, in numbers and in pictures."""
