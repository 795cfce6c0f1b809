"""Model calls: under way, kept, weighed against budgets, and who answers them."""
