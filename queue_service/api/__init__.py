"""Everything that speaks protobuf: decode, call, encode."""
