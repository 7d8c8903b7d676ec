"""What is stored of a search, and what that tells: the only room that knows the database."""
