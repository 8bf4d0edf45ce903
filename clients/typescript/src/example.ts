// Enqueues a task, leases it through the pull API, completes it, and prints what it did as one JSON document.
//
//   BATONPASS_QUEUE      endpoint of the queue service, `host:port`; default: that of a running `./dev up`
//   BATONPASS_NAMESPACE  default `default`
//   BATONPASS_TLS_CERT, BATONPASS_TLS_KEY, BATONPASS_TLS_CA  PEM files; all three or none (plaintext, loopback only)

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import process from "node:process";

import { type Task, TaskState } from "../gen/batonpass/queue/v1/task_pb.js";
import { connectQueue, durationFromMs, endpointOf, fieldViolations, type Queue, reasonOf, type TlsFiles } from "./client.js";

async function main(): Promise<void> {
  const queue = connectQueue(endpointOf("queue"), {
    namespace: process.env["BATONPASS_NAMESPACE"] ?? "default",
    actor: `typescript-example@${hostname()}`,
    ...tlsFromEnvironment(),
  });
  process.stdout.write(`${JSON.stringify(await relay(queue), null, 2)}\n`);
}

/** One task, handed on once: enqueued, leased, completed. */
async function relay({ tasks, pull }: Queue): Promise<object> {
  const taskId = `typescript-${randomUUID()}`;
  // Repeating the call with the same id and body is safe: it returns the same task.
  const enqueued = await tasks.enqueueTask({
    taskId,
    template: {
      name: "Hello from TypeScript",
      priority: 7,
      resources: { cpuPercent: 5, memoryPercent: 5 },
      payload: new TextEncoder().encode(JSON.stringify({ greeting: "hello" })),
    },
  });

  const lease = await pull.leaseTask({ taskId, executor: "typescript-example", requestId: randomUUID() });
  const started = Date.now();
  const payload: unknown = JSON.parse(new TextDecoder().decode(lease.task?.template?.payload));

  const completed = await pull.completeTask({
    taskId,
    leaseToken: lease.leaseToken,
    report: { exitCode: 0, duration: durationFromMs(Date.now() - started), outputTail: JSON.stringify(payload) },
  });
  return {
    task_id: taskId,
    enqueued: { created: enqueued.created, state: stateOf(enqueued.task) },
    leased: { lease_token: String(lease.leaseToken), state: stateOf(lease.task), payload },
    completed: { state: stateOf(completed.task), attempt: completed.task?.attempt },
  };
}

function stateOf(task: Task | undefined): string {
  return TaskState[task?.state ?? TaskState.UNSPECIFIED];
}

function tlsFromEnvironment(): { tls?: TlsFiles } {
  if (process.env["BATONPASS_TLS_CA"] === undefined) return {};
  const pem = (name: string): string => readFileSync(required(name), "utf8");
  return { tls: { cert: pem("BATONPASS_TLS_CERT"), key: pem("BATONPASS_TLS_KEY"), ca: pem("BATONPASS_TLS_CA") } };
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}`);
  return value;
}

main().catch((error: unknown) => {
  const reason = reasonOf(error);
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}${reason ? ` (${reason})` : ""}\n`);
  for (const { field, description } of fieldViolations(error)) process.stderr.write(`  ${field}: ${description}\n`);
  process.exitCode = 1;
});
