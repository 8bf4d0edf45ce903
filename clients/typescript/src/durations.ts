// `google.protobuf.Duration` from and to milliseconds, the unit of time of JavaScript.

import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";

/** The duration of `ms` milliseconds; fractions down to a nanosecond are kept. */
export function durationFromMs(ms: number): Duration {
  const seconds = Math.trunc(ms / 1_000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1_000) * 1e6) });
}

/** Milliseconds of `duration`, with fractions. */
export function msFromDuration({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + nanos / 1e6;
}
