import { connect } from "node:net";

/** A TLS 1.2 handshake message (RFC 5246, section 7.4.1.2) with what any server can answer, if only by an alert. */
function clientHello(): Buffer {
  const ciphers = Buffer.from("c02bc02fc02cc030009c009d002f0035", "hex");
  // Groups, forms of points, algorithms of signatures.
  const extensions = Buffer.from("000a00060004001d0017000b00020100000d000a00080403080404010601", "hex");
  const body = Buffer.concat([
    Buffer.from("0303", "hex"),
    Buffer.alloc(32, 0x42),
    Buffer.from([0, 0, ciphers.length]),
    ciphers,
    Buffer.from([1, 0, 0, extensions.length]),
    extensions,
  ]);
  return Buffer.concat([Buffer.from([22, 3, 1, 0, body.length + 4, 1, 0, 0, body.length]), body]);
}

const HTTP = Buffer.from("HTTP/");

/**
 * Whether a server answers TLS in plain HTTP, which is what servers do that know no TLS. To find out by a handshake of
 * Node's own takes a tenth of a short program's time, for loading TLS. False where that is not sure.
 *
 * @param host with its port
 */
export function answersInHttp(host: string, timeoutMs: number): Promise<boolean> {
  const { hostname, port } = new URL(`http://${host}`);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  if (port === "") return Promise.resolve(false);
  const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port), timeout: timeoutMs });
  let answer = Buffer.alloc(0);
  socket.on("connect", () => socket.write(clientHello()));
  socket.on("data", (piece: Buffer) => {
    answer = Buffer.concat([answer, piece]);
    if (answer.length < HTTP.length && HTTP.subarray(0, answer.length).equals(answer)) return;
    resolve(HTTP.equals(answer.subarray(0, HTTP.length)));
    socket.destroy();
  });
  socket.on("timeout", () => socket.destroy());
  socket.on("error", () => {});
  socket.on("close", () => resolve(false));
  return promise;
}
