"""petops' own Prometheus MCP server."""
