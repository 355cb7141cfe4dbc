"""user-service: what is known of a person beyond how he signs in. One profile per account."""
