import { connect } from "node:net";

/** Connects, takes what comes, and fails when that is less than `least` bytes. */
export function receive(host: string, port: number, least: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0;
    const onread = {
      buffer: Buffer.alloc(2 ** 20),
      callback: (size: number): boolean => {
        received += size;
        return true;
      },
    };
    const socket = connect({ host, port, onread });
    socket.on("error", reject);
    socket.on("close", () => {
      if (received >= least) resolve();
      else reject(new Error(`${host}:${port} sent ${received} bytes of ${least}`));
    });
    socket.on("end", () => socket.end());
  });
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

// As a program, for another network namespace: HOST PORT BYTES; prints the milliseconds that it took.
if (import.meta.main) {
  const [host = "", port, least] = process.argv.slice(2);
  const milliseconds = await timed(() => receive(host, Number(port), Number(least)));
  process.stdout.write(`${milliseconds}\n`);
}
