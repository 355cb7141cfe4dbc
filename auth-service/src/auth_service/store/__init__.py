"""All SQL of auth-service, one module a noun; functions take the connection and commit nothing themselves."""
