"""Known candidates trained again over seeds: to confirm a winner, to compare with documents, to take one apart."""
