"""What people see of models: plots, and later whole reports."""
