import { asBoxshipError, createLogger, InvalidArgument, serveLoopback } from "@boxship/base";
import { namespacePath } from "@boxship/kernel";
import { forwardPorts } from "@boxship/network";
import { loopbackSocket, portsSocket } from "./rootless-state.ts";

/**
 * What an instance without root has on the machine's side: the forwarder of published ports, and the way to the machine's
 * loopback. See `launch.ts`; runs until it is killed.
 *
 * @param argv the instance's run directory, and the process whose network namespace the containers are connected to
 */
export async function runPortForwarder([runDir, holder]: readonly string[]): Promise<number> {
  const logger = createLogger();
  try {
    const pid = Number(holder);
    if (runDir === undefined || !Number.isInteger(pid)) throw new InvalidArgument("two arguments are needed");
    await using forwarder = await forwardPorts({
      socket: portsSocket(runDir),
      namespace: namespacePath("net", pid),
      logger,
    });
    using loopback = await serveLoopback(loopbackSocket(runDir));
    void [forwarder, loopback];
    await new Promise((resolve) => process.once("SIGTERM", resolve));
    return 0;
  } catch (error) {
    const { message, remedy, cause } = asBoxshipError(error);
    logger.error(`cannot forward published ports: ${message}`, { remedy, cause });
    return 1;
  }
}
