import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIPv6 } from "node:net";
import { type Clock, systemCode, Unavailable } from "@boxship/base";
import { connectUnixSocket, type Fd, SocketType, SyscallError, sendMessage } from "@boxship/kernel";

export type DatagramAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** Messages to a log server, one in a packet. */
export interface DatagramConnection extends AsyncDisposable {
  readonly open: boolean;
  /** @throws when the packet cannot be sent now; one that is too large is left out instead, with false */
  send(packet: Buffer): Promise<boolean>;
}

export async function connectDatagram(address: DatagramAddress, clock: Clock): Promise<DatagramConnection> {
  return "path" in address ? connectUnix(address.path, clock) : connectUdp(address.host, address.port);
}

async function connectUdp(host: string, port: number): Promise<DatagramConnection> {
  const { address } = await lookup(host);
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  // Nobody listens there: told by an ICMP message that belongs to an earlier packet. UDP promises no more than that.
  socket.on("error", () => {});
  socket.connect(port, address);
  await once(socket, "connect");
  return {
    open: true,
    send: (packet) =>
      new Promise((resolve, reject) => {
        socket.send(packet, (error) => {
          const code = systemCode(error);
          if (error === null || code === "ECONNREFUSED") resolve(true);
          else if (code === "EMSGSIZE") resolve(false);
          else reject(error);
        });
      }),
    [Symbol.asyncDispose]: async () => {
      socket.close();
    },
  };
}

const QUEUE_FULL_MS = 20;

async function connectUnix(path: string, clock: Clock): Promise<DatagramConnection> {
  const socket: Fd = await connectUnixSocket(path, SocketType.Datagram);
  let disposed = false;
  return {
    get open() {
      return !disposed;
    },
    async send(packet) {
      for (;;) {
        if (disposed) throw new Unavailable(`the connection to ${path} was closed`);
        try {
          if (sendMessage(socket, packet)) return true;
        } catch (error) {
          if (error instanceof SyscallError && error.code === "EMSGSIZE") return false;
          throw error;
        }
        // A full queue of another socket does not make this one writable later: there is nothing to watch.
        await new Promise<void>((resolve) => clock.setTimeout(QUEUE_FULL_MS, resolve).ref());
      }
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      socket.close();
    },
  };
}
