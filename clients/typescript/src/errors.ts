// What a refusal says beyond its status code, read from the details that every error of the services carries.

import { BinaryReader } from "@bufbuild/protobuf/wire";
import { ConnectError } from "@connectrpc/connect";

/** Reason of a refusal (`google.rpc.ErrorInfo`), such as `STALE_LEASE`; undefined when `error` is no refusal of a service. */
export function reasonOf(error: unknown): string | undefined {
  return detailOf(error, "google.rpc.ErrorInfo")?.get(1)?.map(text)[0];
}

/** Fields that broke a rule (`google.rpc.BadRequest`), each with the rule in words. */
export function fieldViolations(error: unknown): { field: string; description: string }[] {
  const violations = detailOf(error, "google.rpc.BadRequest")?.get(1) ?? [];
  return violations.map((violation) => {
    const fields = lengthDelimited(violation);
    return { field: text(fields.get(1)?.[0]), description: text(fields.get(2)?.[0]) };
  });
}

function detailOf(error: unknown, type: string): Map<number, Uint8Array[]> | undefined {
  if (!(error instanceof ConnectError)) return undefined;
  for (const detail of error.details) {
    if ("type" in detail && detail.type === type) return lengthDelimited(detail.value);
  }
  return undefined;
}

/** Field number -> values of the length-delimited fields of a message: all that the details above consist of. */
function lengthDelimited(message: Uint8Array): Map<number, Uint8Array[]> {
  const reader = new BinaryReader(message);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType !== LENGTH_DELIMITED) reader.skip(wireType, number);
    else fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
  }
  return fields;
}

const LENGTH_DELIMITED = 2;

function text(value: Uint8Array | undefined): string {
  return new TextDecoder().decode(value);
}
