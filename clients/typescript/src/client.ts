// Connections to the two services: typed clients over gRPC that add what every call needs, a
// deadline and who is calling.

import { type Client, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { PullService } from "../gen/batonpass/queue/v1/pull_service_pb.js";
import { QueueService } from "../gen/batonpass/queue/v1/queue_service_pb.js";
import { EventService } from "../gen/batonpass/scheduler/v1/event_service_pb.js";
import { ScheduleService } from "../gen/batonpass/scheduler/v1/schedule_service_pb.js";

export { durationFromMs, msFromDuration } from "./durations.js";
export { endpointOf, type Side } from "./endpoints.js";
export { fieldViolations, reasonOf } from "./errors.js";

/** Deadline of a unary call that names none, in milliseconds. The services refuse unary calls without one. */
export const DEFAULT_DEADLINE_MS = 10_000;

/** Largest message taken from a service, in bytes. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024;

/** PEM text of one end of a mutual TLS connection. */
export interface TlsFiles {
  /** Certificate of this client, with its chain. */
  readonly cert: string;
  /** Private key of that certificate. */
  readonly key: string;
  /** Certificate of the authority that signed the service's certificate. */
  readonly ca: string;
}

export interface ConnectOptions {
  /** Namespace of every call: `^[a-z0-9][a-z0-9-]{0,62}$`. Default `default`. */
  readonly namespace?: string;
  /** Who acts, for the record: at most 128 characters. Default `anonymous`. */
  readonly actor?: string;
  /** Deadline of a unary call that names none, in milliseconds. Default 10,000. Streams have one only when given. */
  readonly deadlineMs?: number;
  /** Mutual TLS. Default: plaintext, which the services accept on loopback only. */
  readonly tls?: TlsFiles;
}

/** The queue as producers, operators and pull clients see it. */
export interface Queue {
  readonly tasks: Client<typeof QueueService>;
  readonly pull: Client<typeof PullService>;
}

/** The scheduler as operators and event sources see it. */
export interface Scheduler {
  readonly schedules: Client<typeof ScheduleService>;
  readonly events: Client<typeof EventService>;
}

/** Clients of the queue at `endpoint` (`host:port`). Connects at the first call, again after a broken connection. */
export function connectQueue(endpoint: string, options: ConnectOptions = {}): Queue {
  const transport = openTransport(endpoint, options);
  return { tasks: createClient(QueueService, transport), pull: createClient(PullService, transport) };
}

/** Clients of the scheduler at `endpoint` (`host:port`). Connects at the first call, again after a broken connection. */
export function connectScheduler(endpoint: string, options: ConnectOptions = {}): Scheduler {
  const transport = openTransport(endpoint, options);
  return { schedules: createClient(ScheduleService, transport), events: createClient(EventService, transport) };
}

/** A gRPC transport that adds deadline and caller metadata to calls that lack them. */
export function openTransport(endpoint: string, options: ConnectOptions = {}): Transport {
  const transport = createGrpcTransport({
    baseUrl: `${options.tls ? "https" : "http"}://${endpoint}`,
    interceptors: [callerMetadata(options)],
    readMaxBytes: MAX_RESPONSE_BYTES,
    // The services cut off clients that ping more often than every 5 s.
    pingIntervalMs: 10_000,
    pingTimeoutMs: 5_000,
    ...(options.tls ? { nodeOptions: { ...options.tls } } : {}),
  });
  return withUnaryDeadline(transport, options.deadlineMs ?? DEFAULT_DEADLINE_MS);
}

function callerMetadata({ namespace = "default", actor = "anonymous" }: ConnectOptions): Interceptor {
  return (next) => (request) => {
    request.header.set("batonpass-namespace", namespace);
    // Metadata carries ASCII only; the services decode percent-encoding.
    request.header.set("batonpass-actor", encodeURIComponent(actor));
    return next(request);
  };
}

/** Connect's own `defaultTimeoutMs` would also end the streams, which are meant to last. */
function withUnaryDeadline(transport: Transport, deadlineMs: number): Transport {
  return {
    unary: (method, signal, timeoutMs, header, input, contextValues) =>
      transport.unary(method, signal, timeoutMs ?? deadlineMs, header, input, contextValues),
    stream: (...call) => transport.stream(...call),
  };
}
