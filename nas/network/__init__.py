"""What a network is, what it costs, and how it becomes a torch module."""
