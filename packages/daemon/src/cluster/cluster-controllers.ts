import type { ClusterCertificates } from "@boxship/apiserver";
import type { Logger } from "@boxship/base";
import { openHttpClient } from "@boxship/client";
import { DEFINITIONS, runControllers } from "@boxship/controllers";
import { Scheduler } from "@boxship/scheduler";

export interface StartControllersOptions {
  /** How the process reaches its own API server. */
  readonly server: string;
  readonly certificates: ClusterCertificates;
  readonly logger: Logger;
}

/**
 * What moves the cluster, beside the server: the controllers and the scheduler. The lock on the cluster's state sees to it
 * that there is one of each: nobody is elected.
 */
export function startControllers({ server, certificates, logger }: StartControllersOptions): AsyncDisposable {
  const { authority, controllers, scheduler } = certificates;
  const stack = new AsyncDisposableStack();
  const open = ({ certificate, key }: typeof controllers, userAgent: string) =>
    stack.use(openHttpClient({ server, authority, certificate, key, userAgent }));
  const client = open(controllers, "kube-controller-manager");
  stack.use(runControllers({ client, definitions: DEFINITIONS, logger }));
  stack.use(new Scheduler({ client: open(scheduler, "kube-scheduler"), logger }));
  return stack;
}
