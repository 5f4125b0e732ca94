import type { ApiServer } from "@boxship/apiserver";
import type { Logger } from "@boxship/base";
import { openHttpClient } from "@boxship/client";
import { DEFINITIONS, runControllers } from "@boxship/controllers";
import { Scheduler } from "@boxship/scheduler";

export interface StartControllersOptions {
  /** Of this process: it is asked without a socket between. */
  readonly api: ApiServer;
  /** Where others reach it. */
  readonly server: string;
  readonly logger: Logger;
}

/**
 * What moves the cluster, beside the server: the controllers and the scheduler. The lock on the cluster's state sees to it
 * that there is one of each: nobody is elected.
 */
export function startControllers({ api, server, logger }: StartControllersOptions): AsyncDisposable {
  const stack = new AsyncDisposableStack();
  const open = (userAgent: string, ...groups: readonly string[]) => {
    const user = { name: `system:${userAgent}`, groups: [...groups, "system:authenticated"] };
    return stack.use(openHttpClient({ server, createConnection: () => api.connect(user), userAgent }));
  };
  const client = open("kube-controller-manager", "system:masters");
  stack.use(runControllers({ client, definitions: DEFINITIONS, logger }));
  stack.use(new Scheduler({ client: open("kube-scheduler"), logger }));
  return stack;
}
