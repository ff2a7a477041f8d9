"""The closed loop: policies side by side in copies of one world, against its known truth."""
