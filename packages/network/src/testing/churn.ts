import { silentLogger, systemClock } from "@boxship/base";
import { NetworkManager } from "../manager.ts";
import { newId } from "./host.ts";

/**
 * For tests: a program that makes and removes networks, containers and ports as fast as it can until it is killed. Its
 * argument is the manager's options as JSON; it prints a line when it begins.
 */
const options = JSON.parse(process.argv[2] ?? "{}") as { root: string; runDir: string; name: string };
const manager = await NetworkManager.open({ ...options, logger: silentLogger, clock: systemClock });
process.stdout.write("ready\n");

async function oneContainer(worker: number, round: number): Promise<void> {
  const id = `${process.pid}-${worker}-${newId().slice(0, 12)}`;
  await manager.createSandbox(id, { hostname: `c${worker}` });
  await manager.connect({ sandboxId: id, networkId: "bridge", name: `c${worker}` });
  await manager.publish(id, [{ protocol: round % 2 === 0 ? "tcp" : "udp", containerPort: 80 }]);
  const name = `net-${process.pid}-${worker}`;
  const exists = manager.listNetworks().some((network) => network.name === name);
  if (!exists) await manager.createNetwork({ name, enableIPv6: true });
  await manager.connect({ sandboxId: id, networkId: name, name: `c${worker}` });
  if (round % 3 === 0) await manager.disconnect(id, "bridge");
  // Some stay, so that there is something to find.
  if (round % 4 !== 0) await manager.removeSandbox(id);
  if (round % 4 === 3) await manager.removeNetwork(name).catch(() => {});
}

await Promise.all(
  [0, 1, 2].map(async (worker) => {
    for (let round = 0; ; round++) await oneContainer(worker, round);
  }),
);
