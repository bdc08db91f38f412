"""Edge: from missing runs to results, through worker processes."""
