"""Messages in the conventions' parts schema, from whatever shape a library or provider gave them."""
