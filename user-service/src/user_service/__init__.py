"""user-service: what is known of a person beyond how he signs in, his pictures, and places he can name."""
