"""What a person sees while something runs, in a terminal or a notebook."""
