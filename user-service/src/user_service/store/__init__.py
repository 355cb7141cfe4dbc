"""All SQL of user-service. Functions take the connection that a use case borrowed; transactions are the use case's."""
