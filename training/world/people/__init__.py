"""Who the customers are and what mood they are in."""
