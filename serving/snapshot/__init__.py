"""What the server knows: customers, features and models as of one moment, in one folder."""
