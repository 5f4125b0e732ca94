import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A connection that writes what it likes, and reads nothing until it is told to. */
export async function rawConnection(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.setNoDelay();
  return socket;
}

/** Sends bytes as they are. @returns all that comes back until the other side ends */
export async function rawRequest(port: number, request: string | Uint8Array): Promise<string> {
  const socket = await rawConnection(port);
  socket.write(request);
  let answer = "";
  for await (const piece of socket) answer += String(piece);
  return answer;
}
