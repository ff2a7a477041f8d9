"""Who is moved by a message or an offer: learners, measures and the four groups."""
