"""What benchmarks/simulate.py is made of: worlds that answer, policies that ask, searches, and what came out."""
