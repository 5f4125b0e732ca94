import { rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { InvalidArgument, systemCode } from "./errors.ts";

/**
 * Connections to this machine's loopback for a process that lives in another network namespace, where `localhost` is
 * somebody else: it asks at a unix socket, with a line of JSON, gets another back, and from then on the bytes are the
 * connection's.
 */

export interface LoopbackTarget {
  /** `localhost`, `::1`, or `127.…`. */
  readonly host: string;
  readonly port: number;
}

interface Answer {
  readonly failure?: { readonly code: string; readonly message: string };
}

/** Longer lines are nobody's request. */
const LONGEST_LINE = 1024;

export function isLoopbackHost(hostname: string): boolean {
  const bare = bareHost(hostname);
  return bare === "localhost" || bare === "::1" || /^127\.\d+\.\d+\.\d+$/.test(bare);
}

function bareHost(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** Serves connections to the loopback of the namespace that this process is in. @param socket replaced when it exists */
export async function serveLoopback(socket: string): Promise<Disposable> {
  await rm(socket, { force: true });
  const server = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => client.destroy());
    firstLine(client, (line) => serve(client, line));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socket, resolve);
  });
  return { [Symbol.dispose]: () => void server.close() };
}

function serve(client: Socket, line: string): void {
  const target = parseTarget(line);
  if (target === undefined) {
    client.destroy();
    return;
  }
  const upstream = connect({ host: bareHost(target.host), port: target.port, allowHalfOpen: true });
  upstream.once("connect", () => {
    client.write(`${JSON.stringify({} satisfies Answer)}\n`);
    client.pipe(upstream);
    upstream.pipe(client);
  });
  upstream.once("error", (error) => {
    if (!upstream.connecting && client.bytesWritten > 0) client.destroy();
    else client.end(`${JSON.stringify({ failure: failureOf(error) } satisfies Answer)}\n`);
  });
  upstream.once("close", () => {
    if (!upstream.readableEnded && client.bytesWritten > 0) client.destroySoon();
  });
  client.once("close", () => upstream.destroy());
}

function parseTarget(line: string): LoopbackTarget | undefined {
  try {
    const { host, port } = JSON.parse(line) as Partial<LoopbackTarget>;
    const valid = typeof host === "string" && isLoopbackHost(host) && Number.isInteger(port);
    return valid ? { host, port: port as number } : undefined;
  } catch {
    return undefined;
  }
}

/** With several addresses tried, the last one's. */
function failureOf(error: unknown): NonNullable<Answer["failure"]> {
  const one = error instanceof AggregateError ? (error.errors.at(-1) as unknown) : error;
  return { code: systemCode(one) ?? "EUNKNOWN", message: one instanceof Error ? one.message : String(one) };
}

/** Connects through a door that {@link serveLoopback} keeps. Rejects with the code that connect(2) had there. */
export function connectLoopback(door: string, target: LoopbackTarget): Promise<Socket> {
  if (!isLoopbackHost(target.host)) throw new InvalidArgument(`${target.host} is not the machine's loopback`);
  return new Promise((resolve, reject) => {
    const socket = connect(door);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the connection was closed")));
    socket.write(`${JSON.stringify(target)}\n`);
    firstLine(socket, (line) => {
      const { failure } = JSON.parse(line) as Answer;
      socket.off("error", reject);
      if (failure === undefined) resolve(socket);
      else {
        socket.destroy();
        reject(Object.assign(new Error(failure.message), { code: failure.code }));
      }
    });
  });
}

/** Takes one line off a stream and leaves the rest in it. It does not pause it: who listens next would have to know. */
function firstLine(stream: Socket, use: (line: string) => void): void {
  let bytes = Buffer.alloc(0);
  const take = () => {
    for (let piece = stream.read() as Buffer | null; piece !== null; piece = stream.read() as Buffer | null) {
      bytes = Buffer.concat([bytes, piece]);
      const end = bytes.indexOf(10);
      if (end === -1 && bytes.length <= LONGEST_LINE) continue;
      stream.off("readable", take);
      if (end === -1) {
        stream.destroy();
        return;
      }
      if (end + 1 < bytes.length) stream.unshift(bytes.subarray(end + 1));
      use(bytes.toString("utf8", 0, end));
      return;
    }
  };
  stream.on("readable", take);
}
