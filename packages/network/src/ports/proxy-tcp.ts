import { connect, createServer, type Socket } from "node:net";
import type { PortTarget } from "../outside/contract.ts";
import type { ProxyTarget } from "./reservation.ts";

/** Begins a connection to the target on behalf of a client. */
export type DialTcp = (to: PortTarget, client: Socket) => Socket;

const dialPlain: DialTcp = ({ address, port }) => connect({ host: address, port, allowHalfOpen: true });

/**
 * Passes connections that a listening socket accepts on to the target, both ways, each direction ending by itself.
 * Takes the descriptor over; disposing closes it and cuts what is open.
 */
export function proxyTcp(fd: number, target: ProxyTarget, dial = dialPlain): Disposable {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    const to = target();
    if (to === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = dial(to, client);
    join(client, upstream);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
    }
  });
  server.listen({ fd });
  return {
    [Symbol.dispose]() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

function join(client: Socket, upstream: Socket): void {
  const begin = (): void => {
    client.pipe(upstream);
    upstream.pipe(client);
    client.resume();
  };
  if (upstream.connecting) upstream.once("connect", begin);
  else begin();
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    // An end that breaks must be seen as broken on the other side, not as a clean end.
    one.once("error", () => other.resetAndDestroy());
    one.once("close", () => {
      if (!one.readableEnded) other.destroy();
    });
  }
}
