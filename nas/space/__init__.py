"""What a search space is, how one is found, and looking at it without a study."""
