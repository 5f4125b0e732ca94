import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { isObject, type Json, type KubeObject, listAt, textAt, valueAt } from "@boxship/api";
import { errorMessage } from "@boxship/base";
import { SpdyConnection } from "@boxship/cri/spdy";
import { defineCommand } from "../command.ts";
import { PlainRefusal, Refusal } from "../failure.ts";
import { duration, str } from "../flags.ts";
import { getObject } from "../request/objects.ts";
import { resolveTargets } from "../resource/targets.ts";
import type { Session } from "../session.ts";
import { podOfWord, streamPath } from "./carry.ts";

const PROTOCOL = "portforward.k8s.io";

interface Ports {
  /** 0: any that is free. */
  readonly local: number;
  readonly remote: number;
}

export const command = defineCommand({
  usage: "TYPE/NAME [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]",
  summary: "Forward one or more local ports to a pod",
  flags: { address: str("localhost"), "pod-running-timeout": duration(60_000) },
  async run(session, { flags, operands, path: words }) {
    const [word, ...asked] = operands;
    if (word === undefined || asked.length === 0) {
      throw new PlainRefusal(
        `error: TYPE/NAME and list of ports are required for port-forward\nSee '${words} -h' for help and examples`,
      );
    }
    const pod = await podOfWord(session, word);
    const phase = textAt(pod, "status", "phase");
    if (phase !== "Running")
      throw new Refusal(`unable to forward port because pod is not running. Current status=${phase}`);
    const service = await serviceOf(session, word);
    const ports = asked.map((text) => portsOf(text, pod, service));
    await using stack = new AsyncDisposableStack();
    const path = await streamPath(session, pod, "portforward");
    const transport = await (await session.api()).openSpdy(path, [PROTOCOL]);
    stack.defer(() => void transport.destroy());
    const connection = new SpdyConnection(transport, (stream) => stream.destroy());
    const lost = connection.run();
    for (const address of flags.address.split(",")) {
      for (const one of ports) await listen(session, address.trim(), one, connection, stack);
    }
    const { signal } = session.io;
    const stopped = signal === undefined ? [] : [once(signal, "abort")];
    await Promise.race([lost.catch(() => {}), ...stopped]);
    if (!signal?.aborted) throw new Refusal("lost connection to pod");
  },
});

async function serviceOf(session: Session, word: string): Promise<KubeObject | undefined> {
  const [target] = word.includes("/") ? await resolveTargets(session, [word]) : [];
  return target?.mapping.kind === "Service" ? await getObject(session, target) : undefined;
}

/** `LOCAL:REMOTE`, `:REMOTE` or `REMOTE`; of a service, ports are its own and lead to those of its pods. */
function portsOf(text: string, pod: KubeObject, service: KubeObject | undefined): Ports {
  const [first = "", second, ...more] = text.split(":");
  const asked = second ?? first;
  if (asked === "" || more.length > 0) throw new Refusal(`invalid port format '${text}'`);
  const own = service === undefined ? undefined : servicePort(service, asked);
  const remote = own === undefined ? podPort(pod, asked) : podPort(pod, own.target);
  const local = second === undefined ? (own?.port ?? remote) : first === "" ? 0 : Number(first);
  if (!Number.isInteger(local) || local < 0 || local > 65535) {
    const why = /^\d+$/.test(first) ? "value out of range" : "invalid syntax";
    throw new Refusal(
      `error parsing local port '${first}': strconv.ParseUint: parsing ${JSON.stringify(first)}: ${why}`,
    );
  }
  return { local, remote };
}

function servicePort(service: KubeObject, asked: string): { readonly port: number; readonly target: string } {
  const port = listAt(service, "spec", "ports").find((one) =>
    [textAt(one, "name"), textAt(one, "port")].includes(asked),
  );
  const { name = "" } = service.metadata;
  if (port === undefined) throw new Refusal(`Service ${name} does not have a service port ${asked}`);
  const headless = textAt(service, "spec", "clusterIP") === "None";
  const number = textAt(port, "port");
  return { port: Number(number), target: headless ? number : textAt(port, "targetPort") || number };
}

function podPort(pod: KubeObject, asked: string): number {
  if (/^\d+$/.test(asked)) return Number(asked);
  const all: readonly Json[] = [...listAt(pod, "spec", "containers"), ...listAt(pod, "spec", "initContainers")];
  for (const container of all) {
    const port = listAt(container, "ports").find((one) => textAt(one, "name") === asked);
    const number = isObject(port) ? valueAt(port, "containerPort") : undefined;
    if (typeof number === "number") return number;
  }
  throw new Refusal(`Pod '${pod.metadata.name ?? ""}' does not have a named port '${asked}'`);
}

/** Of `localhost` both addresses, where there are both. */
async function listen(
  session: Session,
  address: string,
  { local, remote }: Ports,
  connection: SpdyConnection,
  stack: AsyncDisposableStack,
): Promise<void> {
  let port = local;
  let failed: unknown;
  let count = 0;
  for (const host of address === "localhost" ? ["127.0.0.1", "::1"] : [address]) {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      session.print(`Handling connection for ${port}`);
      void forward(session, socket, { local: port, remote }, connection);
    });
    try {
      await open(server, host, port);
    } catch (error) {
      failed = error;
      continue;
    }
    const sockets = new Set<Socket>();
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    stack.defer(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    ({ port } = server.address() as { port: number });
    count++;
    session.print(`Forwarding from ${host.includes(":") ? `[${host}]` : host}:${port} -> ${remote}`);
  }
  if (count === 0) {
    session.warn(`Unable to listen on port ${local}: ${errorMessage(failed)}`);
    throw new Refusal(`unable to listen on any of the requested ports: [{${local} ${remote}}]`);
  }
}

async function open(server: Server, host: string, port: number): Promise<void> {
  server.listen({ host, port, ipv6Only: true });
  await once(server, "listening");
}

let lastRequest = 0;

/** One connection: a stream for its data, and one for what went wrong. */
async function forward(session: Session, socket: Socket, { local, remote }: Ports, connection: SpdyConnection) {
  socket.on("error", () => socket.destroy());
  try {
    const headers = (streamtype: string, id: number) =>
      new Map([
        ["streamtype", streamtype],
        ["port", String(remote)],
        ["requestid", String(id)],
      ]);
    const id = lastRequest++;
    const failure = await connection.open(headers("error", id));
    failure.end();
    const data = await connection.open(headers("data", id));
    let said = "";
    failure.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    failure.once("end", () => {
      if (said !== "") session.warn(`an error occurred forwarding ${local} -> ${remote}: ${said}`);
    });
    socket.once("close", () => data.destroy());
    data.once("close", () => socket.destroy());
    socket.pipe(data);
    data.pipe(socket);
  } catch (error) {
    session.warn(`error creating stream for port ${local} -> ${remote}: ${errorMessage(error)}`);
    socket.destroy();
  }
}
