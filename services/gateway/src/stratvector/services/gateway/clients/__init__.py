"""The services that own what the gateway shows, asked over gRPC: one file per service."""
