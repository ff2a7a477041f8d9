"""What is known of customers while it happens: facts come in, states are kept, features read."""
