"""The cloud functions. One folder each; none imports another."""
