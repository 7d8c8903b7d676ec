"""The search: what it is told, its objective, when it is over, and what it will take."""
