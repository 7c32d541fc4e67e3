"""What the benches stand beside: the baselines in our own words, and the libraries and servers that both are given."""
