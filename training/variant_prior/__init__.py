"""What past tests of wordings say of a wording that nobody has sent yet."""
