import { type ApiServer, type KeyPair, MASTERS, type User } from "@boxship/apiserver";
import type { Logger } from "@boxship/base";
import { openHttpClient } from "@boxship/client";
import {
  certificateSigner,
  DEFINITIONS,
  type DirectoryProvisionerOptions,
  directoryProvisioner,
  runControllers,
} from "@boxship/controllers";
import { Scheduler, type SchedulerConfiguration } from "@boxship/scheduler";

export interface StartControllersOptions {
  /** The server of this process. */
  readonly api: Pick<ApiServer, "connect">;
  /** Vouches for the cluster's clients. */
  readonly authority: KeyPair;
  readonly scheduling?: SchedulerConfiguration;
  /** Where claims of the default class get their volumes. @default nowhere: there is no such class */
  readonly volumes?: DirectoryProvisionerOptions;
  readonly logger: Logger;
}

const CONTROLLERS: User = { name: "system:kube-controller-manager", groups: [MASTERS, "system:authenticated"] };
const SCHEDULER: User = { name: "system:kube-scheduler", groups: ["system:authenticated"] };

/**
 * What moves the cluster, beside the server: the controllers and the scheduler. The lock on the cluster's state sees to it
 * that there is one of each: nobody is elected.
 */
export function startControllers({
  api,
  authority,
  scheduling,
  volumes,
  logger,
}: StartControllersOptions): AsyncDisposable {
  const stack = new AsyncDisposableStack();
  const open = (user: User, userAgent: string) =>
    stack.use(openHttpClient({ server: "http://in-process", createConnection: () => api.connect(user), userAgent }));
  const provisioners = volumes === undefined ? [] : [directoryProvisioner(volumes)];
  const definitions = [...DEFINITIONS, certificateSigner(authority), ...provisioners];
  stack.use(runControllers({ client: open(CONTROLLERS, "kube-controller-manager"), definitions, logger }));
  stack.use(new Scheduler({ client: open(SCHEDULER, "kube-scheduler"), ...scheduling, logger }));
  return stack;
}
