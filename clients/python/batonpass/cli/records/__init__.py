"""Contract messages as plain records: what `-o json` and `-o yaml` print. Pure.

The original system's fields come first, always all of them, null where there is no value. Times are ISO 8601
in UTC. Enum values are the contract's in capitals, without their prefix; `status` and `schedule_type` are the
original's words, `band` is written small. Settings are spelled as the options that set them (`10m`);
measurements are numbers that name their unit (`duration_ms`).
"""
