import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import type { PortTarget } from "../outside/contract.ts";
import type { ProxyTarget } from "./reservation.ts";

/** A socket that sends to the target on behalf of a client. */
export type DialUdp = (to: PortTarget, client: RemoteInfo) => Socket;

const dialPlain: DialUdp = ({ address }) => createSocket(address.includes(":") ? "udp6" : "udp4");

/** As the kernel's own tracking does for flows that go both ways. */
const IDLE = 120_000;
const MOST_CLIENTS = 4096;

interface Flow {
  readonly socket: Socket;
  readonly to: { readonly address: string; readonly port: number };
  lastUsed: number;
}

/**
 * Passes datagrams that a bound socket receives on to the target, and the answers back; each client has a socket of
 * its own towards the target until it has been silent for two minutes. Takes the descriptor over.
 */
export function proxyUdp(fd: number, family: 4 | 6, target: ProxyTarget, dial = dialPlain): Disposable {
  const flows = new Map<string, Flow>();
  const server = createSocket(`udp${family}`);
  let timer: NodeJS.Timeout | undefined;
  const watch = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      expire(flows);
      if (flows.size > 0) watch();
    }, IDLE / 4).unref();
  };
  server.on("message", (data, client) => {
    const key = `${client.address} ${client.port}`;
    const flow = flows.get(key) ?? openFlow({ server, flows, target, dial }, key, client);
    if (flow === undefined) return;
    flow.lastUsed = performance.now();
    watch();
    // An unreachable target is the client's to notice, as with any datagram.
    flow.socket.send(data, flow.to.port, flow.to.address, () => {});
  });
  server.on("error", () => server.close());
  server.bind({ fd });
  return {
    [Symbol.dispose]() {
      clearTimeout(timer);
      server.close();
      for (const { socket } of flows.values()) socket.close();
      flows.clear();
    },
  };
}

interface Proxy {
  readonly server: Socket;
  readonly flows: Map<string, Flow>;
  readonly target: ProxyTarget;
  readonly dial: DialUdp;
}

function openFlow({ server, flows, target, dial }: Proxy, key: string, client: RemoteInfo): Flow | undefined {
  const to = target();
  if (to === undefined || flows.size >= MOST_CLIENTS) return undefined;
  const socket = dial(to, client);
  const flow: Flow = { socket, to, lastUsed: performance.now() };
  flows.set(key, flow);
  const forget = (): void => {
    if (flows.get(key) !== flow) return;
    flows.delete(key);
    socket.close();
  };
  socket.on("error", forget);
  socket.on("message", (answer, from) => {
    if (from.address !== to.address || from.port !== to.port) return;
    flow.lastUsed = performance.now();
    server.send(answer, client.port, client.address, () => {});
  });
  return flow;
}

function expire(flows: Map<string, Flow>): void {
  const oldest = performance.now() - IDLE;
  for (const [key, { socket, lastUsed }] of flows) {
    if (lastUsed > oldest) continue;
    flows.delete(key);
    socket.close();
  }
}
