import { connect } from "node:net";
import { Unavailable } from "@boxship/base";
import { type ClientSession, clientSession, GrpcClient } from "@boxship/grpc";

/** Calls the engine at a socket, on a connection of its own. @throws Unavailable, Unsupported for a call that it does not know */
export async function callEngine<Result>(
  socket: string,
  run: (client: GrpcClient) => Promise<Result>,
): Promise<Result> {
  const session = await connectTo(socket);
  try {
    return await run(new GrpcClient(session));
  } finally {
    session.destroy();
  }
}

function connectTo(path: string): Promise<ClientSession> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once("error", (cause) => reject(new Unavailable(`no engine answers at ${path}`, { cause })));
    socket.once("connect", () => {
      const session = clientSession(socket);
      session.on("error", () => {});
      resolve(session);
    });
  });
}
