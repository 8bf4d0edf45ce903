"""Everything that speaks protobuf to callers: decode, call, encode; no decisions."""
