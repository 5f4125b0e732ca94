import { once } from "node:events";
import { connect } from "node:net";
import { percentile } from "./kubernetes-cluster.ts";
import { receive } from "./network-client.ts";

/** Whether each of them is a connection until its byte is there, or a byte there and back in one that stays open. */
export type Latency = "connections" | "round-trips";

/** Milliseconds that each took, one after the other. */
async function latencies(latency: Latency, host: string, port: number, times: number): Promise<number[]> {
  const taken: number[] = [];
  const timed = async (work: () => Promise<unknown>): Promise<void> => {
    const began = performance.now();
    await work();
    taken.push(performance.now() - began);
  };
  if (latency === "connections") {
    for (let time = 0; time < times; time++) await timed(() => receive(host, port, 1));
    return taken;
  }
  const socket = connect({ host, port, noDelay: true });
  await once(socket, "connect");
  for (let time = 0; time < times; time++) {
    await timed(() => {
      const answered = once(socket, "data");
      socket.write("?");
      return answered;
    });
  }
  socket.destroy();
  return taken;
}

// As a program, for another network namespace: WHAT HOST PORT TIMES; prints the microseconds of half of them at most. That and not all
// of them together: what else runs on the machine makes some of them a hundred times as long.
if (import.meta.main) {
  const [latency = "", host = "", port, times] = process.argv.slice(2);
  const taken = await latencies(latency as Latency, host, Number(port), Number(times));
  process.stdout.write(`${percentile(taken, 0.5) * 1000}\n`);
}
