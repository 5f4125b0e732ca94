import { asBoxshipError, createLogger, InvalidArgument } from "@boxship/base";
import { namespacePath } from "@boxship/kernel";
import { forwardPorts } from "@boxship/network";
import { portsSocket } from "./rootless-state.ts";

/**
 * The forwarder of published ports of an instance without root, see `launch.ts`; runs until it is killed.
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
    void forwarder;
    await new Promise((resolve) => process.once("SIGTERM", resolve));
    return 0;
  } catch (error) {
    const { message, remedy, cause } = asBoxshipError(error);
    logger.error(`cannot forward published ports: ${message}`, { remedy, cause });
    return 1;
  }
}
