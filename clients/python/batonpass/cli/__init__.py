"""The operators' command line: a thin layer of words over the generated gRPC stubs."""
