import type { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { acceptWebSocket, errorMessage, FailedPrecondition, InvalidArgument } from "@boxship/base";
import type { Engine } from "@boxship/engine";
import { foreignSocket, inNamespace, openNamespace } from "@boxship/kernel";
import type { WebSocket } from "ws";
import type { CriHandlers } from "../contract.ts";
import { switchToSpdy } from "./spdy-channels.ts";
import { SpdyConnection, type SpdyStream } from "./spdy-connection.ts";
import { chooseProtocol, type StreamingServer } from "./streaming-server.ts";

const PROTOCOL = "portforward.k8s.io";
/** SPDY inside of a WebSocket's messages: for ways that let nothing else through. */
const TUNNEL = `SPDY/3.1+${PROTOCOL}`;

/** Ports of pods, as their processes see them: on loopback in the pod's network. */
export function portForwardHandlers({ parts }: Engine, streaming: StreamingServer): Pick<CriHandlers, "portForward"> {
  return {
    async portForward({ podSandboxId, port: ports }) {
      const { id, state, request } = parts.pods.resolve(podSandboxId);
      if (state !== "ready") throw new FailedPrecondition(`pod ${id} is not running`);
      const none = ports.find((one) => one < 1 || one > 65535);
      if (none !== undefined) throw new InvalidArgument(`${none} is no port`);
      const namespace = request.network === "host" ? undefined : parts.network.getSandbox(id).path;
      const url = await streaming.place("portforward", async (asked, socket, head) => {
        const transport = await accept(asked, socket, head);
        await forward(transport, (port) => dial(namespace, port));
      });
      return { url };
    },
  };
}

async function accept(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<Duplex> {
  const upgrade = (request.headers.upgrade ?? "").toLowerCase();
  const offer = (text: string | readonly string[] = "") =>
    [text].flat().flatMap((one) => one.split(",").map((each) => each.trim()));
  if (upgrade === "websocket") {
    const protocol = chooseProtocol(offer(request.headers["sec-websocket-protocol"]), [TUNNEL]);
    return tunnel(await acceptWebSocket(request, socket, head, protocol));
  }
  if (upgrade !== "spdy/3.1") throw new InvalidArgument(`unable to upgrade: ${upgrade} is not supported`);
  chooseProtocol(offer(request.headers["x-stream-protocol-version"]), [PROTOCOL]);
  switchToSpdy(socket, head, PROTOCOL);
  return socket;
}

/** The bytes of a WebSocket's messages, one after another. */
function tunnel(socket: WebSocket): Duplex {
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk: Buffer, _encoding, done) => socket.send(chunk, { binary: true }, (error) => done(error)),
    final(done) {
      socket.close(1000);
      done();
    },
    destroy(error, done) {
      socket.close();
      done(error);
    },
  });
  socket.on("message", (message: Buffer) => {
    if (!duplex.push(message)) socket.pause();
  });
  socket.on("close", () => {
    duplex.push(null);
    duplex.destroy();
  });
  return duplex;
}

interface Request {
  error?: SpdyStream;
  data?: SpdyStream;
}

/** For each connection the client opens two streams: data, and what went wrong. */
async function forward(transport: Duplex, connect: (port: number) => Socket): Promise<void> {
  const requests = new Map<string, Request>();
  const connection = new SpdyConnection(transport, (stream) => {
    const id = stream.headers.get("requestid") ?? stream.headers.get("port") ?? "";
    const request = requests.get(id) ?? {};
    const kind = stream.headers.get("streamtype");
    if (kind === "error") request.error = stream;
    else if (kind === "data") request.data = stream;
    else stream.destroy();
    requests.set(id, request);
    const { data, error } = request;
    if (data === undefined || error === undefined) return;
    requests.delete(id);
    join(data, error, connect);
  });
  await connection.run();
}

function join(data: SpdyStream, error: SpdyStream, connect: (port: number) => Socket): void {
  const port = Number(data.headers.get("port"));
  error.resume();
  const fail = (reason: unknown): void => {
    if (error.writable) error.end(`error forwarding port ${port} to pod: ${errorMessage(reason)}`);
    data.end();
  };
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    fail(new InvalidArgument("the port is none"));
    return;
  }
  let socket: Socket;
  try {
    socket = connect(port);
  } catch (reason) {
    fail(reason);
    return;
  }
  socket.once("error", fail);
  socket.once("close", () => {
    data.end();
    if (error.writable) error.end();
  });
  data.once("close", () => socket.destroy());
  data.pipe(socket);
  socket.pipe(data);
}

const LOOPBACK = "127.0.0.1";

/** A connection from within a network namespace. @throws SystemError what refuses at once */
function dial(namespace: string | undefined, port: number): Socket {
  const open = () =>
    foreignSocket({ protocol: "tcp", from: { address: LOOPBACK, port: 0 }, to: { address: LOOPBACK, port } });
  if (namespace === undefined) return new Socket({ fd: open().release(), allowHalfOpen: true });
  using entered = openNamespace(namespace);
  return new Socket({ fd: inNamespace(entered, "net", open).release(), allowHalfOpen: true });
}
