"""What people do for customers at risk (calls, training, discounts), and what truly comes of it."""
