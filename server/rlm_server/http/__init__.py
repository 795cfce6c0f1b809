"""HTTP: routes, headers, the wire, and everything that is a file."""
