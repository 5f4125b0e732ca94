import { createServer } from "node:net";

/** As a program, in another network namespace: PORT BYTES; sends so many zeros to whoever connects, or back what comes when that is 0. */
const [port, bytes] = process.argv.slice(2).map(Number);
const block = Buffer.alloc(Math.min(bytes ?? 1, 2 ** 18));

const server = createServer({ noDelay: true }, (socket) => {
  let left = bytes ?? 1;
  const send = (): void => {
    while (left > 0) {
      const part = left < block.length ? block.subarray(0, left) : block;
      left -= part.length;
      if (!socket.write(part)) return;
    }
    socket.end();
  };
  socket.on("error", () => socket.destroy());
  if (bytes === 0) {
    socket.pipe(socket);
    return;
  }
  socket.on("drain", send);
  send();
});
server.listen(port, "0.0.0.0", () => process.stdout.write("listening\n"));
