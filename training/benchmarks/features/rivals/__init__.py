"""The features of the benchmark written by hand, each for the speed of one library."""
