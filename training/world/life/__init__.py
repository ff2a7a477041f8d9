"""What happens by itself: visits, shopping, accounts, problems, and what comes due."""
