"""When and what: values in, values out; no I/O, no clock, no chance."""
