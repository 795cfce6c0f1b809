"""Tools for agents, by the Model Context Protocol: questions over files, and Python over them, both contained."""
