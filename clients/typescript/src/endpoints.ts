// Where the services are, as every Batonpass client finds them.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";

export type Side = "queue" | "scheduler";

const FILE = "endpoints.json";

/**
 * The endpoint of a service, `host:port`: from BATONPASS_QUEUE or BATONPASS_SCHEDULER, else from the `endpoints.json` that
 * `./dev up` writes, in BATONPASS_HOME or in the nearest `.batonpass` from the working directory upwards that has one.
 * Throws when there is none, saying what to set.
 */
export function endpointOf(side: Side, environment: NodeJS.ProcessEnv = process.env): string {
  const variable = `BATONPASS_${side.toUpperCase()}`;
  const file = environment["BATONPASS_HOME"] ? join(environment["BATONPASS_HOME"], FILE) : nearestFile(process.cwd());
  const found = environment[variable] || fromFile(file, side);
  if (found) return found;
  throw new Error(`no ${side} endpoint is known: set ${variable}=host:port, or start one with ./dev up (looked in ${file})`);
}

function nearestFile(start: string): string {
  const fileIn = (folder: string): string => join(folder, ".batonpass", FILE);
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    if (existsSync(fileIn(folder))) return fileIn(folder);
    if (folder === dirname(folder)) return fileIn(resolve(start));
  }
}

function fromFile(file: string, side: Side): string | undefined {
  if (!existsSync(file)) return undefined;
  const endpoints = JSON.parse(readFileSync(file, "utf8")) as Partial<Record<Side, string>>;
  return endpoints[side];
}
