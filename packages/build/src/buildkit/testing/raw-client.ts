import { request as httpRequest, type OutgoingHttpHeaders } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import { clientSession, GrpcClient, serverSession } from "@boxship/grpc";
import { FileSync } from "../wire/session.ts";

/** What a client does with a call on its session; the stream's head has been read, and nothing was answered. */
export type ServeStream = (stream: ServerHttp2Stream, path: string) => void;

/** A client of the door that need not follow any protocol. Disposing cuts its connections. */
export interface RawClient extends Disposable {
  /** An upgraded connection, to write anything on. */
  raw(path: "/grpc" | "/session", headers?: OutgoingHttpHeaders): Promise<Duplex>;
  /** A connection to call on. */
  grpc(): Promise<GrpcClient>;
  /** Opens a session that serves. */
  session(id: string, serve: ServeStream, methods?: readonly string[]): Promise<Duplex>;
}

export function rawClient(socketPath: string): RawClient {
  const sockets = new Set<Duplex>();
  const raw = (path: string, headers: OutgoingHttpHeaders = {}) =>
    new Promise<Duplex>((resolve, reject) => {
      const request = httpRequest({
        socketPath,
        path,
        method: "POST",
        headers: { Connection: "Upgrade", Upgrade: "h2c", ...headers },
      });
      request.once("error", reject);
      request.once("response", (response) => reject(new Error(`not upgraded: ${response.statusCode}`)));
      request.once("upgrade", (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        sockets.add(socket);
        socket.on("error", () => {});
        resolve(socket);
      });
      request.end();
    });
  return {
    raw,
    grpc: async () => new GrpcClient(clientSession(await raw("/grpc"))),
    session: async (id, serve, methods = [FileSync.diffCopy.path]) => {
      const socket = await raw("/session", {
        "X-Docker-Expose-Session-Uuid": id,
        "X-Docker-Expose-Session-Grpc-Method": [...methods],
      });
      const session = serverSession(socket);
      session.on("error", () => {});
      session.on("stream", (stream, headers) => {
        stream.on("error", () => {});
        serve(stream, headers[":path"] ?? "");
      });
      return socket;
    },
    [Symbol.dispose]: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
