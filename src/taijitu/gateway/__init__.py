"""The gateway: content by CID and path, out of the stored bytes. It knows no HTTP server."""
