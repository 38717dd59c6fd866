"""The HTTP port: connections, the door, both dialects, WebSockets, health."""
